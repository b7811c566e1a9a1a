import flamegraph, { tooltip } from './flamegraph.js';
import { formatPercent, formatValue } from './format.js';

const ROW_HEIGHT = 18;

/**
 * The arrays of a tree answer as the nested objects that d3-flame-graph draws. Parents come before children in the
 * arrays, so one pass is enough.
 */
export function nestedTree(tree) {
  const { parent, name, self, value } = tree.nodes;
  const nodes = new Array(parent.length);
  for (let i = 0; i < parent.length; i++) {
    const node = {
      name: tree.names[name[i]],
      value: Math.max(0, Number(value[i])),
      self: Number(self[i]),
      children: [],
    };
    nodes[i] = node;
    if (i > 0) nodes[parent[i]].children.push(node);
  }
  return nodes[0];
}

/** A flame graph in `container`; `details` shows the frame under the pointer. */
export function flameView(container, details) {
  let chart;
  let drawn;

  function draw(tree) {
    clear();
    const root = nestedTree(tree);
    const text = (d) => frameText(d.data, root.value, tree.unit);
    chart = flamegraph()
      .width(Math.max(300, container.clientWidth))
      .cellHeight(ROW_HEIGHT)
      .minFrameSize(1)
      .transitionDuration(150)
      .inverted(true)
      .sort(true)
      .selfValue(false)
      .resetHeightOnZoom(true)
      .tooltip(tooltip.defaultFlamegraphTooltip().text(text))
      .setSearchMatch((d, term) => term !== '' && d.data.name.toLowerCase().includes(term))
      .setSearchHandler((_, sum, total) => {
        details.textContent = `search: ${formatValue(sum, tree.unit)} of ${formatValue(total, tree.unit)} (${formatPercent(sum, total)})`;
      })
      .onHover((d) => {
        details.textContent = text(d);
      });
    globalThis.d3.select(container).datum(root).call(chart);
    drawn = tree;
  }

  function clear() {
    chart?.destroy();
    container.replaceChildren();
    for (const tip of document.querySelectorAll('.d3-flame-graph-tip')) tip.remove();
    chart = undefined;
    drawn = undefined;
  }

  return {
    draw,
    clear,
    search(term) {
      if (term === '') chart?.clear();
      else chart?.search(term.toLowerCase());
    },
    resetZoom() {
      chart?.resetZoom();
    },
    /** The width changed. */
    redraw() {
      if (drawn !== undefined) draw(drawn);
    },
  };
}

function frameText(node, total, unit) {
  const share = formatPercent(node.value, total);
  return `${node.name}: ${formatValue(node.value, unit)} (${share}), self ${formatValue(node.self, unit)}`;
}
