/** Changes of a share that are drawn in full colour. */
const FULL_CHANGE = 0.1;
const GREY = 'rgb(190,190,190)';

/**
 * Two trees as one for a flame graph: nodes of both by path, as wide as their shares of the two totals together, so that
 * what only one of them has is seen too.
 */
export function mergedTrees(now, base) {
  const root = { name: 'total', value: 0, now: 0, base: 0, children: [] };
  addTree(root, now, 'now');
  addTree(root, base, 'base');
  return root;
}

function addTree(root, tree, side) {
  const { parent, name, value } = tree.nodes;
  const total = Number(tree.total);
  if (total === 0) return;
  const nodes = [root];
  const byName = new Map();
  for (let i = 0; i < parent.length; i++) {
    const node = i === 0 ? root : childOf(byName, nodes[parent[i]], tree.names[name[i]]);
    const share = Math.max(0, Number(value[i])) / total;
    node[side] += share;
    node.value += share;
    nodes[i] = node;
  }
}

function childOf(byName, parent, name) {
  let children = byName.get(parent);
  if (children === undefined) {
    children = new Map(parent.children.map((child) => [child.name, child]));
    byName.set(parent, children);
  }
  let child = children.get(name);
  if (child === undefined) {
    child = { name, value: 0, now: 0, base: 0, children: [] };
    children.set(name, child);
    parent.children.push(child);
  }
  return child;
}

/** Red for what takes more of the whole than before, blue for less; grey for functions whose change may be chance. */
export function changeColor(node, significant) {
  if (node.name === 'total' || !significant.has(node.name)) return GREY;
  const change = node.now - node.base;
  const pale = Math.round(205 * (1 - Math.min(1, Math.abs(change) / FULL_CHANGE)));
  return change > 0 ? `rgb(235,${pale},${pale})` : `rgb(${pale},${pale},235)`;
}
