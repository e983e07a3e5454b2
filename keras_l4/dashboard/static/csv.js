// Download of the shown data as comma-separated values.

/** Downloads an iterable of rows. */
export function downloadCsv(filename, rows) {
  const text = Array.from(rows, (row) => row.map(csvCell).join(",")).join("\r\n");
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: url, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Prefixes text that a spreadsheet would evaluate as a formula: a run may have any name.
function csvCell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return `"${text.replaceAll('"', '""')}"`;
}
