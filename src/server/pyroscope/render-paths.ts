/** Apart from their handlers, which are loaded by the first call. */
const RENDER_PATHS = [
  '/pyroscope/render',
  '/pyroscope/render-diff',
  '/pyroscope/label-values',
] as const;

export type RenderPath = (typeof RENDER_PATHS)[number];

export function isRenderPath(path: string): path is RenderPath {
  return (RENDER_PATHS as readonly string[]).includes(path);
}
