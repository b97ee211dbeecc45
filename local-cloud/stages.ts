/** How the cloud process tells the command that started it where it is: lines of its log. */
export const STAGE = '=== ';
export const READY = '=== ready';

export async function stage<T>(name: string, work: () => Promise<T>): Promise<T> {
  console.log(`${STAGE}${name}`);
  return await work();
}
