module.exports = {
  testDir: __dirname,
  workers: 2,
  fullyParallel: true,
  reporter: 'dot',
  outputDir: process.env.BENCH_OUTPUT,
  use: {
    baseURL: process.env.BENCH_URL,
    launchOptions: { executablePath: process.env.BENCH_BROWSER },
  },
};
