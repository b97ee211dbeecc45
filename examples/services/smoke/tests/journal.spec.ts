import { expect, test } from '@playwright/test';

const { EXPECTED_VERSION, SMOKE_USER = '', SMOKE_PASSWORD = '' } = process.env;

test('an accountant signs in, posts an entry and finds it in the journal', async ({ page }) => {
  const label = `Smoke test ${Date.now()}`;
  await page.goto('/');
  await page.getByTestId('username').fill(SMOKE_USER);
  await page.getByTestId('password').fill(SMOKE_PASSWORD);
  await page.getByTestId('login').click();

  await page.getByTestId('entry-label').fill(label);
  await page.getByTestId('entry-amount').fill('12.345');
  await page.getByTestId('post-entry').click();

  await expect(page.getByTestId('posted')).toBeVisible();
  await expect(page.getByTestId('entry').filter({ hasText: label })).toHaveCount(1);
});

test('the page shows the version that was released', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByTestId('version')).toContainText(EXPECTED_VERSION ?? '');
});

test('a wrong password is refused with a message', async ({ page }) => {
  await page.goto('/');
  await page.getByTestId('username').fill(SMOKE_USER);
  await page.getByTestId('password').fill('not the password');
  await page.getByTestId('login').click();
  await expect(page.getByTestId('login-error')).toBeVisible();
});
