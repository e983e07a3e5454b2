// The quantities that a heat map shows, as its switch names them.
export const QUANTITIES = {
  gradient_norm: "gradient norm",
  update_ratio: "update ratio",
  weight_norm: "weight norm",
  effective_learning_rate: "effective learning rate",
  zero_fraction: "zero fraction",
};

const SHARE = "share of elements";

/** How its values become colours: as a logarithm, but for shares. */
export function scaleOf(unit) {
  const isShare = unit === SHARE;
  return {
    isShare,
    title: isShare ? "share" : "log₁₀",
    place: isShare ? (value) => value : (value) => (value > 0 ? Math.log10(value) : NaN),
  };
}
