import type { FirewallPolicy, FirewallRule } from '../machinery.ts';
import { PUBLIC_GATEWAY } from './addresses.ts';

/**
 * The router's whole packet filter, for one atomic `nft -f -`.
 *
 * The public side is filtered per server, the private side is not; between the two sides,
 * and from the host to the private one, nothing passes. A server under a policy accepts
 * what its rules name and answers to its own connections; one without accepts everything.
 */
export function filterRuleset(
  routerAddress: string,
  publicSubnet: string,
  policies: readonly FirewallPolicy[],
): string {
  const verdicts = policies.map((policy) => `${policy.publicIp} : jump server-${policy.serverId}`);
  return [
    // Made before it is deleted: deleting what is not there would be an error.
    'table inet filter',
    'delete table inet filter',
    'table inet filter {',
    ...policies.flatMap(serverChain),
    '  chain input {',
    '    type filter hook input priority filter; policy drop;',
    '    iifname "lo" accept',
    '    ct state established,related accept',
    '    iifname "priv0" meta l4proto icmp accept',
    `    iifname "pub0" ip daddr ${PUBLIC_GATEWAY} meta l4proto icmp accept`,
    `    iifname "up0" ip daddr ${routerAddress} meta l4proto icmp accept`,
    '  }',
    '  chain forward {',
    '    type filter hook forward priority filter; policy drop;',
    '    iifname "priv0" oifname "priv0" accept',
    `    iifname "pub0" ip saddr != ${publicSubnet} drop`,
    '    oifname "pub0" ct state established,related accept',
    '    iifname { "up0", "pub0" } oifname "pub0" jump public-in',
    '    iifname "pub0" oifname "up0" accept',
    '  }',
    '  chain public-in {',
    ...(verdicts.length > 0 ? [`    ip daddr vmap { ${verdicts.join(', ')} }`] : []),
    '    accept',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** The host's table: the servers' way out to the mirrors, behind the host's own address. */
export function masqueradeRuleset(name: string, publicSubnet: string): string {
  return [
    `table ip ${name}`,
    `delete table ip ${name}`,
    `table ip ${name} {`,
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    `    ip saddr ${publicSubnet} oifname != "${name}" masquerade`,
    '  }',
    '}',
    '',
  ].join('\n');
}

function serverChain(policy: FirewallPolicy): string[] {
  const rules = policy.inbound.flatMap((rule) => {
    const text = acceptRule(rule);
    return text === null ? [] : [`    ${text}`];
  });
  return [`  chain server-${policy.serverId} {`, ...rules, '    drop', '  }'];
}

/** Null when no source is an IPv4 range: the local cloud has no IPv6 side. */
function acceptRule(rule: FirewallRule): string | null {
  const sources = rule.sourceIps.filter((source) => !source.includes(':'));
  if (sources.length === 0) return null;
  const everyone = sources.some((source) => source.endsWith('/0'));
  const from = everyone ? '' : `ip saddr { ${sources.join(', ')} } `;
  const ports = rule.protocol === 'tcp' || rule.protocol === 'udp';
  const what =
    ports && rule.port !== null
      ? `${rule.protocol} dport ${rule.port}`
      : `meta l4proto ${rule.protocol}`;
  return `${from}${what} accept`;
}
