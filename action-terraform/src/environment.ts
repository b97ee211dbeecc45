import type { Inputs } from './inputs.ts';

/**
 * Terraform's environment. Secrets go this way only, as an argument vector is readable by
 * every process of the machine; our own inputs are taken out of it.
 */
export function terraformEnvironment(
  inputs: Inputs,
  parent: NodeJS.ProcessEnv,
  dataDirectory: string,
): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(
    Object.entries(parent).filter(([name]) => !/^(INPUT_|STATE_|ACTIONS_)/.test(name)),
  );
  return {
    // The newer checksum headers of the AWS SDK are refused by Ceph.
    AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
    AWS_RESPONSE_CHECKSUM_VALIDATION: 'when_required',
    ...inherited,
    ...inputs.variables,
    ...given('HCLOUD_TOKEN', inputs.hcloudToken),
    ...given('AWS_ACCESS_KEY_ID', inputs.stateAccessKeyId),
    ...given('AWS_SECRET_ACCESS_KEY', inputs.stateSecretAccessKey),
    TF_IN_AUTOMATION: '1',
    TF_INPUT: '0',
    CHECKPOINT_DISABLE: '1',
    TF_DATA_DIR: dataDirectory,
  };
}

function given(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
