import type { z } from 'zod';

/** Every error code this API answers, with its HTTP status. */
const STATUS = {
  json_error: 400,
  unauthorized: 401,
  token_readonly: 403,
  resource_limit_exceeded: 403,
  not_found: 404,
  uniqueness_error: 409,
  conflict: 409,
  deprecated_api_endpoint: 410,
  invalid_input: 422,
  invalid_server_type: 422,
  invalid_load_balancer_type: 422,
  resource_unavailable: 422,
  resource_in_use: 422,
  service_error: 422,
  unsupported_error: 501,
  placement_error: 422,
  server_not_stopped: 422,
  server_already_attached: 422,
  server_has_ipv4: 422,
  server_has_ipv6: 422,
  server_already_added: 422,
  networks_overlap: 422,
  ip_not_available: 422,
  no_subnet_available: 422,
  primary_ip_assigned: 422,
  primary_ip_already_assigned: 422,
  primary_ip_version_mismatch: 422,
  must_be_unassigned: 422,
  volume_already_attached: 422,
  firewall_already_applied: 422,
  firewall_managed_by_label_selector: 422,
  firewall_resource_not_found: 404,
  private_net_only_server: 422,
  load_balancer_already_attached: 422,
  load_balancer_not_attached_to_network: 422,
  server_not_attached_to_network: 422,
  source_port_already_used: 422,
  target_already_defined: 422,
  targets_without_use_private_ip: 422,
  missing_ipv4: 422,
  ip_not_owned: 422,
  cloud_resource_ip_not_allowed: 422,
  locked: 423,
  protected: 423,
  rate_limit_exceeded: 429,
  server_error: 500,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** An answer of the form `{"error": {"code", "message", "details"}}`. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, details: unknown = null) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

export function invalidInput(field: string, ...messages: string[]): ApiError {
  return new ApiError('invalid_input', `invalid input in field '${field}'`, {
    fields: [{ name: field, messages }],
  });
}

/** For what the real API can do and this one cannot: never a success that did nothing. */
export function notAvailable(what: string): ApiError {
  return new ApiError('unsupported_error', `${what} is not available in the local cloud`);
}

/** Reads a request body, or tells which fields are wrong. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const messages = new Map<string, string[]>();
  for (const issue of result.error.issues) {
    const field = issue.path.join('.') || 'body';
    messages.set(field, [...(messages.get(field) ?? []), issue.message]);
  }
  const names = [...messages.keys()].map((name) => `'${name}'`).join(', ');
  throw new ApiError('invalid_input', `invalid input in ${names}`, {
    fields: [...messages].map(([name, texts]) => ({ name, messages: texts })),
  });
}
