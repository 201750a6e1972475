// The five steps as a test of Playwright Test; `moment` begins before the context is made, on a browser that is up.
const fs = require('fs');
const { test: base, expect } = require('@playwright/test');

const test = base.extend({
  moment: [async ({ browser }, use) => {
    const start = Date.now() / 1000;
    await use();
    fs.appendFileSync(process.env.BENCH_MOMENTS, `${start} ${Date.now() / 1000}\n`);
  }, { auto: true }],
});

for (let run = 0; run < Number(process.env.BENCH_RUNS); run += 1) {
  test(`login ${run}`, async ({ page }) => {
    await page.goto('/login');
    await page.getByLabel('User name').fill('ann');
    await page.getByLabel('Password').fill('coffee-please');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Welcome back, Ann' })).toBeVisible();
  });
}
