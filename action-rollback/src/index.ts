import { main } from '../../lib/runner/main.ts';
import { run } from './main.ts';

await main(run);
