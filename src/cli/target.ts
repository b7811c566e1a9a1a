import { invalid } from '../base/errors.js';
import type { CommandContext } from './command.js';
import type { OptionTable, ValueOrigin } from './option.js';

const RANK: Readonly<Record<ValueOrigin, number>> = {
  default: 0,
  config: 1,
  environment: 2,
  flag: 3,
};

/** Either a server or a directory. */
export interface Target {
  readonly server: string | undefined;
  readonly data: string | undefined;
}

/**
 * `--server` or `--data`, whichever was said more directly: a flag beats a variable, a variable the configuration file,
 * which may name the server's own directory. Throws `invalid` PS_CLI_OPTION when both were said in the same way.
 */
export function chooseTarget(
  context: Pick<CommandContext<OptionTable>, 'values' | 'origins'>,
): Target {
  const server = context.values['server'] as string | undefined;
  const data = context.values['data'] as string | undefined;
  if (server === undefined || data === undefined) return { server, data };
  const serverRank = RANK[context.origins.get('server') ?? 'default'];
  const dataRank = RANK[context.origins.get('data') ?? 'default'];
  if (serverRank > dataRank) return { server, data: undefined };
  if (dataRank > serverRank) return { server: undefined, data };
  throw invalid(
    'PS_CLI_OPTION',
    'cannot choose what to ask: got both --server and --data; want one of them',
  );
}
