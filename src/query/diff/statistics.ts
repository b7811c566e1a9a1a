/** What it takes to tell a change from noise: Student's t, and the false discovery rate. */

/** Of a share: how far it lies from the truth, and on how many observations that estimate rests. */
export interface ShareEstimate {
  readonly share: number;
  /** Of `share`, as an estimate. */
  readonly variance: number;
  /** Degrees of freedom of `variance`; below 1 nothing can be said. */
  readonly freedom: number;
}

/** Welch's test of two independent shares, two-sided; undefined where there are too few observations. */
export function welchP(a: ShareEstimate, b: ShareEstimate): number | undefined {
  if (a.freedom < 1 || b.freedom < 1) return undefined;
  const variance = a.variance + b.variance;
  const difference = a.share - b.share;
  if (variance <= 0) return difference === 0 ? 1 : 0;
  const freedom =
    (variance * variance) / (a.variance ** 2 / a.freedom + b.variance ** 2 / b.freedom);
  return studentP(Math.abs(difference) / Math.sqrt(variance), freedom);
}

/** P(|T| >= t) of Student's distribution. */
export function studentP(t: number, freedom: number): number {
  if (!Number.isFinite(t)) return 0;
  return incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

/**
 * Which hypotheses to reject so that of those rejected a share of at most `rate` is expected to be true (Benjamini and
 * Hochberg, 1995). Undefined values are never rejected, and are no hypotheses.
 */
export function discoveries(p: readonly (number | undefined)[], rate: number): readonly boolean[] {
  const known = p.filter((value) => value !== undefined).sort((a, b) => a - b);
  let bound = -1;
  known.forEach((value, i) => {
    if (value <= ((i + 1) / known.length) * rate) bound = value;
  });
  return p.map((value) => value !== undefined && value <= bound);
}

/** Regularised incomplete beta function I_x(a, b) by its continued fraction (modified Lentz). */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x),
  );
  // The fraction converges fast on this side of the mean only.
  return x < (a + 1) / (a + b + 2)
    ? (front * betaFraction(a, b, x)) / a
    : 1 - (front * betaFraction(b, a, 1 - x)) / b;
}

const TINY = 1e-300;
const PRECISION = 1e-14;
const TERMS_MAX = 10_000;

function betaFraction(a: number, b: number, x: number): number {
  const away = (value: number): number => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m <= TERMS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      step = c * d;
      result *= step;
    }
    if (Math.abs(step - 1) < PRECISION) break;
  }
  return result;
}

const LANCZOS = [
  76.18009172947146, -86.5053203294168, 24.0140982408309, -1.23173957245015, 0.001208650973866179,
  -0.000005395239384953,
];

function logGamma(x: number): number {
  const t = x + 5.5;
  let sum = 1.000000000190015;
  LANCZOS.forEach((c, i) => {
    sum += c / (x + 1 + i);
  });
  return (x + 0.5) * Math.log(t) - t + Math.log((Math.sqrt(2 * Math.PI) * sum) / x);
}
