/** Calls of the HTTP API of the server that sent this page; docs/api.md. */

async function get(path, parameters, signal) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== '' && value !== undefined) search.set(key, String(value));
  }
  const response = await fetch(`${path}?${search}`, { signal });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.message ?? `the server answered ${response.status}`);
  return body;
}

export async function profileTypes(range, signal) {
  const answer = await get('/api/v1/profile-types', range, signal);
  return answer.profileTypes;
}

export async function labelNames(query, signal) {
  return (await get('/api/v1/labels', query, signal)).labels;
}

export async function labelValues(name, query, signal) {
  return (await get(`/api/v1/labels/${encodeURIComponent(name)}/values`, query, signal)).values;
}

export function mergeTree(query, signal) {
  return get('/api/v1/merge', { ...query, format: 'tree' }, signal);
}

export function mergeTop(query, signal) {
  return get('/api/v1/merge', { ...query, format: 'top' }, signal);
}

export function timeSeries(query, signal) {
  return get('/api/v1/timeseries', query, signal);
}

export function spans(query, signal) {
  return get('/api/v1/spans', query, signal);
}

export function diff(query, signal) {
  return get('/api/v1/diff', query, signal);
}

export function heatmap(query, signal) {
  return get('/api/v1/heatmap', query, signal);
}

export function beforeOom(query, signal) {
  return get('/api/v1/before-oom', query, signal);
}

export function pprofUrl(query) {
  const search = new URLSearchParams(
    Object.entries({ ...query, format: 'pprof' }).filter(([, value]) => value !== ''),
  );
  return `/api/v1/merge?${search}`;
}
