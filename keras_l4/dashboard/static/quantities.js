/** The quantities that the heat maps can show, with their names on the page. */
export const QUANTITIES = {
  gradient_norm: "gradient norm",
  update_ratio: "update ratio",
  weight_norm: "weight norm",
  effective_learning_rate: "effective learning rate",
  zero_fraction: "zero fraction",
};

/**
 * How values of a unit are mapped to colors: by their logarithm, except for fractions, whose unit is
 * "share of elements".
 */
export function colorScale(unit) {
  const isFraction = unit.endsWith("of elements");
  return {
    isFraction,
    title: isFraction ? "fraction" : "log₁₀",
    transform: isFraction ? (value) => value : (value) => (value > 0 ? Math.log10(value) : NaN),
  };
}
