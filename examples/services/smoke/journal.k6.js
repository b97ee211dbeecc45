// A short load of what accountants do most: post an entry, read it back.
import { check } from 'k6';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

const base = __ENV.BASE_URL;
const lost = new Counter('lost_entries');

export const options = {
  scenarios: {
    accountants: { executor: 'constant-vus', vus: 4, duration: '10s', gracefulStop: '10s' },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    http_req_duration: ['p(95)<2000'],
    lost_entries: ['count==0'],
  },
};

export function setup() {
  const credentials = { username: __ENV.SMOKE_USER, password: __ENV.SMOKE_PASSWORD };
  const answer = http.post(`${base}/api/auth/login`, JSON.stringify(credentials), {
    headers: { 'Content-Type': 'application/json' },
  });
  return { token: answer.json('token') };
}

export default function ({ token }) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const id = uuid();
  const entry = {
    id,
    date: '2026-01-31',
    label: 'Performance test',
    lines: [
      { account: '411000', debit: 100, credit: 0 },
      { account: '707000', debit: 0, credit: 100 },
    ],
  };
  const posted = http.post(`${base}/api/accounting/entries`, JSON.stringify(entry), { headers });
  check(posted, { 'the entry is posted': (answer) => answer.status === 201 });
  const read = http.get(`${base}/api/accounting/entries/${id}`, {
    headers,
    tags: { name: 'entry' },
  });
  if (read.status !== 200) lost.add(1);
}

function uuid() {
  return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () =>
    Math.floor(Math.random() * 16).toString(16),
  );
}
