// The five steps as a recording, replayed by @puppeteer/replay on one warm browser, a context each.
import fs from 'node:fs';
import { createRunner, parse, PuppeteerRunnerExtension } from '@puppeteer/replay';
import puppeteer from 'puppeteer-core';

const url = process.env.BENCH_URL;
const on = (type, selector, more = {}) => ({ type, selectors: [[selector]], target: 'main', ...more });
const recording = {
  title: 'login',
  steps: [
    { type: 'navigate', url: `${url}/login` },
    on('change', 'aria/User name', { value: 'ann' }),
    on('change', 'aria/Password', { value: 'coffee-please' }),
    on('click', 'aria/Sign in[role="button"]', { offsetX: 5, offsetY: 5, assertedEvents: [{ type: 'navigation' }] }),
    on('waitForElement', 'aria/Welcome back, Ann[role="heading"]'),
  ],
};

const browser = await puppeteer.launch({ executablePath: process.env.BENCH_BROWSER, args: ['--no-sandbox'] });
for (let run = 0; run < Number(process.env.BENCH_RUNS); run += 1) {
  const start = Date.now() / 1000;
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const runner = await createRunner(parse(recording), new PuppeteerRunnerExtension(browser, page, { timeout: 10000 }));
  await runner.run();
  await context.close();
  fs.appendFileSync(process.env.BENCH_MOMENTS, `${start} ${Date.now() / 1000}\n`);
}
await browser.close();
