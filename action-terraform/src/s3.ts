import { createHash, createHmac } from 'node:crypto';

/** An object store that speaks S3, as far as a doctor needs it. */
export interface Bucket {
  endpoint: string;
  region: string;
  bucket: string;
  pathStyle: boolean;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}

export interface S3Request {
  method: 'PUT' | 'GET' | 'DELETE';
  key: string;
  body?: string;
  headers?: Record<string, string>;
}

/** One request, signed by AWS's version 4. @throws TypeError when nothing answers */
export function send(bucket: Bucket, request: S3Request, now = new Date()): Promise<Response> {
  const url = addressOf(bucket, request.key);
  return fetch(url, {
    method: request.method,
    headers: { ...request.headers, ...signed(bucket, request, url, now) },
    signal: AbortSignal.timeout(15_000),
    ...(request.body === undefined ? {} : { body: request.body }),
  });
}

function addressOf({ endpoint, bucket, pathStyle }: Bucket, key: string): URL {
  const url = new URL(endpoint);
  const path = key.split('/').map(encodeURIComponent).join('/');
  if (!pathStyle) url.host = `${bucket}.${url.host}`;
  url.pathname = pathStyle ? `/${bucket}/${path}` : `/${path}`;
  return url;
}

/** The headers of a signed request; conditions need no signature. */
function signed(
  { region, accessKeyId, secretAccessKey, sessionToken }: Bucket,
  { method, body = '' }: S3Request,
  url: URL,
  now: Date,
): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const day = time.slice(0, 8);
  const own: Record<string, string> = {
    'x-amz-content-sha256': sha256(body),
    'x-amz-date': time,
    ...(sessionToken ? { 'x-amz-security-token': sessionToken } : {}),
  };
  const headers = { host: url.host, ...own };
  const names = Object.keys(headers).sort().join(';');
  const lines = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const canonical = [
    method,
    url.pathname,
    '',
    ...lines.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    own['x-amz-content-sha256'],
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, toSign).toString('hex');
  return {
    ...own,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
