import { formatValue } from './format.js';

/** What an answer lacks or mixes, as sentences. */
export function statsNotes({ stats: { missing, sums } }) {
  const notes = missing.map((part) => `Missing: ${part.part} (${part.code}) ${part.message}`);
  if (sums !== '')
    notes.push(`Old profiles are kept as sums of up to ${sums}: each counts where it starts.`);
  return notes;
}

/** What a tree does not show. */
export function hiddenNotes({ hidden, unit }) {
  if (hidden.nodes === 0) return [];
  const value = formatValue(Number(hidden.value), unit);
  return [`${hidden.nodes.toLocaleString()} small frames (${value}) are not drawn.`];
}
