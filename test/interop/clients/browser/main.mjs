// Looks at basalt's page in a real browser, as somebody who clicks through it, and writes down what there is to see.
// Arguments: the folder of the driver, the browser, the page's address, the file for the answer (JSON).
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [installed, browserCommand, url, answerFile] = process.argv.slice(2);
const require = createRequire(join(installed, 'package.json'));
const { chromium } = require('playwright-core');
const { execFileSync } = await import('node:child_process');
const executablePath = execFileSync('which', [browserCommand], { encoding: 'utf8' }).trim();

/** It runs as root in a container at times, and must speak to nobody but the page's server. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WAIT_MS = 30_000;
/** Frames fade in. */
const FADE_MS = 500;

const errors = [];
const browser = await chromium.launch({ executablePath, args: ARGS });
const page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
page.setDefaultTimeout(WAIT_MS);
page.on('pageerror', (error) => errors.push(error.message));
page.on('console', (message) => {
  if (message.type() === 'error') errors.push(message.text());
});

/** After a call of the page's is answered and drawn. */
async function settled() {
  await page.waitForFunction(
    () =>
      !document.getElementById('result').classList.contains('loading') &&
      (document.getElementById('summary').textContent !== '' ||
        !document.getElementById('message').hidden),
  );
}

const texts = (selector) => page.locator(`${selector} >> visible=true`).allTextContents();

async function look() {
  await settled();
  await page.waitForTimeout(FADE_MS);
  return {
    summary: await page.textContent('#summary'),
    message: await page.textContent('#message'),
    only: await page.textContent('#only'),
    frames: await texts('g.frame .d3-flame-graph-label'),
    rows: await texts('tbody tr'),
    cells: await page.locator('#heatmap-view rect >> visible=true').count(),
    lines: await page.locator('#chart polyline, #chart circle').count(),
    hash: await page.evaluate(() => location.hash),
  };
}

async function click(text) {
  await page.evaluate(() => {
    document.getElementById('summary').textContent = '';
  });
  await page.getByRole('button', { name: text, exact: true }).click();
}

const seen = {};
try {
  await page.goto(url);
  seen.flame = await look();
  await page.fill('#search', 'work');
  seen.found = await page.textContent('#details');
  await page.fill('#search', '');
  await click('Compare');
  seen.compare = await look();
  await click('Heatmap');
  seen.heatmap = await look();
  await page.evaluate(() => {
    document.getElementById('summary').textContent = '';
  });
  await page.locator('#heatmap-view rect').first().click();
  seen.profile = await look();
  await click('Clear');
  await settled();
  await click('Before an OOM');
  seen.several = await look();
  await page.fill('#selector', '{pod="leak-1"}');
  await page.press('#selector', 'Enter');
  await page.waitForFunction(() => !document.getElementById('growth-view').closest('[hidden]'));
  seen.growth = await look();
} finally {
  await browser.close();
}
writeFileSync(answerFile, JSON.stringify({ ...seen, errors }));
