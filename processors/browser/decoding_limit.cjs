// Loaded into Playwright's driver before its own code: limits what a compressed response to a request of the driver may
// be decoded to. `QA_DRIVER_DECODED_BYTES` is the limit of one response; the driver reports the error to its caller.
"use strict";
const zlib = require("node:zlib");

const most = Number(process.env.QA_DRIVER_DECODED_BYTES);

function limited(decoder) {
  const push = decoder.push;
  let left = most;
  decoder.push = function (chunk, encoding) {
    left -= chunk === null ? 0 : chunk.length;
    if (left >= 0) return push.call(this, chunk, encoding);
    this.destroy(new Error(`decoded to more than ${most} bytes`));
    return false;
  };
  return decoder;
}

for (const name of ["createGunzip", "createInflate", "createBrotliDecompress"]) {
  const create = zlib[name];
  Object.defineProperty(zlib, name, { configurable: true, enumerable: true, value: (options) => limited(create(options)) });
}
