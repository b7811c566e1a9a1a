import { compareView } from './compare.js';
import { byId } from './dom.js';
import { growthView } from './growth.js';
import { heatmapView } from './heatmap.js';
import { mergeView } from './merge.js';

/** Parts of the page by the view that shows them; the flame graph's name is empty. */
const PARTS = {
  '': ['flame-view', 'download', 'search', 'reset'],
  compare: ['compare-view', 'search', 'reset', 'base'],
  heatmap: ['heatmap-view'],
  growth: ['growth-view'],
};

/**
 * The views of one selection, each with what it asks the server for. `chart` is the one over time; `onPick` gets the name of a function, `onProfile` the item of a
 * single profile.
 */
export function createViews(state, { chart, onPick, onProfile }) {
  const details = byId('details');
  const views = {
    '': mergeView(state, { details, onPick }),
    compare: compareView(state, { details, onPick }),
    heatmap: heatmapView(state, { details, onProfile }),
    growth: growthView(chart),
  };

  return {
    /** Shows the parts of the view that is asked for. */
    show() {
      for (const id of new Set(Object.values(PARTS).flat())) {
        byId(id).hidden = !PARTS[state.view].includes(id);
      }
      byId('spans-panel').hidden = true;
      for (const button of byId('views').children) {
        button.setAttribute('aria-pressed', String(button.value === state.view));
      }
    },
    /** Asks for what the view shows of `query` in `range`; what comes back draws it. */
    async load(asked, signal) {
      const draw = await views[state.view].load(asked, signal);
      return () => {
        details.textContent = '\u00a0';
        const notes = draw();
        byId('warning').textContent = notes.join(' ');
        byId('warning').hidden = notes.length === 0;
      };
    },
    /** Whether it draws the chart over time itself, of a type that it chooses. */
    hasOwnChart: () => state.view === 'growth',
    /** The flame graph on the page, if there is one. */
    graph: () => views[state.view].graph,
  };
}
