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
    const root = nestedTree(tree);
    drawNested(root, {
      text: (node) => frameText(node, root.value, tree.unit),
      searchText: (sum, total) =>
        `${formatValue(sum, tree.unit)} of ${formatValue(total, tree.unit)} (${formatPercent(sum, total)})`,
    });
  }

  /** Nested objects with `name`, `value` and `children`, and how to speak of them; `color` in place of the library's. */
  function drawNested(root, look) {
    clear();
    const text = (d) => look.text(d.data);
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
        details.textContent = `search: ${look.searchText(sum, total)}`;
      })
      .onHover((d) => {
        details.textContent = text(d);
      });
    const { color } = look;
    if (color !== undefined) chart.color((d, own) => (d.highlight ? own : color(d.data)));
    globalThis.d3.select(container).datum(root).call(chart);
    drawn = { root, look };
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
    drawNested,
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
      if (drawn !== undefined) drawNested(drawn.root, drawn.look);
    },
  };
}

function frameText(node, total, unit) {
  const share = formatPercent(node.value, total);
  return `${node.name}: ${formatValue(node.value, unit)} (${share}), self ${formatValue(node.self, unit)}`;
}
