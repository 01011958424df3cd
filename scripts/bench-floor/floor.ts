/** The least that a binary of this kind can do: write one line and leave. What `vault` takes beyond it is our own doing. */
import { writeSync } from 'node:fs';

writeSync(1, 'ok\n');
