/** Names of what main tells post; never a secret, as the runner keeps them in clear. */
export const WORK_STATE = 'work';
