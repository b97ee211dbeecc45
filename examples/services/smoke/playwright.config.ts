import { defineConfig } from '@playwright/test';

const { BASE_URL, SMOKE_BROWSER } = process.env;

export default defineConfig({
  testDir: 'tests',
  forbidOnly: true,
  retries: 1,
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 20_000 },
  use: {
    baseURL: BASE_URL ?? 'http://127.0.0.1:8080',
    screenshot: 'on',
    // A hosted runner has Chrome; any other Chromium is named by its path.
    ...(SMOKE_BROWSER
      ? {
          launchOptions: {
            executablePath: SMOKE_BROWSER,
            args: ['--no-sandbox', '--disable-quic'],
          },
        }
      : { channel: 'chrome' }),
  },
});
