import * as api from './api.js';
import { changesTable } from './changes.js';
import { byId } from './dom.js';
import { flameView } from './flame.js';
import { formatPercent, formatValue } from './format.js';
import { changeColor, mergedTrees } from './merged-trees.js';
import { statsNotes } from './notes.js';
import { baseOf } from './state.js';

/** Functions asked for: which changes may be chance is known for these. */
const CHANGES_MAX = 10_000;

/** What two selections have in other shares: a flame graph of both, and a table of functions. */
export function compareView(state, { details, onPick }) {
  const flame = flameView(byId('compare-graph'), details);
  const table = changesTable(byId('compare-table'), onPick);

  async function load({ query, range }, signal) {
    const base = baseOf(state, range);
    const { baseSelector: selector, baseStart: start, baseEnd: end } = base;
    const [diff, now, before] = await Promise.all([
      api.diff({ ...query, ...base, limit: CHANGES_MAX }, signal),
      api.mergeTree(query, signal),
      api.mergeTree({ ...query, selector, start, end }, signal),
    ]);
    return () => {
      const [{ functions }] = diff.comparisons;
      drawGraph(functions, now, before);
      byId('summary').textContent = summary(diff);
      table.draw(diff);
      return [...statsNotes(now), ...statsNotes(before)];
    };
  }

  function drawGraph(functions, now, base) {
    const significant = new Set(
      functions.filter((f) => f.isTotalSignificant || f.isSelfSignificant).map((f) => f.function),
    );
    flame.drawNested(mergedTrees(now, base), {
      color: (node) => changeColor(node, significant),
      text: (node) =>
        `${node.name}: ${sideText(node, now)}, compared with ${sideText(node, base, 'base')}`,
      searchText: (sum, total) => formatPercent(sum, total),
    });
  }

  return { load, graph: flame };
}

function summary({ unit, base, comparisons: [{ side, hidden }] }) {
  const text = ({ total, stats: { profiles, series } }) =>
    `${formatValue(Number(total), unit)} in ${profiles.toLocaleString()} profiles of ${series.toLocaleString()} series`;
  const more = `${hidden.toLocaleString()} functions that changed less are not in the table.`;
  return `${text(side)}; compared with ${text(base)}. Grey may be chance.${hidden > 0 ? ` ${more}` : ''}`;
}

function sideText(node, tree, side = 'now') {
  const value = node[side] * Number(tree.total);
  return `${formatValue(value, tree.unit)} (${formatPercent(node[side], 1)})`;
}
