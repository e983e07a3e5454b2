// Comma-separated values of what is shown.

/** Saves an iterable of rows. */
export function saveCsv(name, rows) {
  const text = Array.from(rows, (row) => row.map(cell).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// A text that a spreadsheet would take for a formula is kept from being one.
function cell(value) {
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return `"${text.replaceAll('"', '""')}"`;
}
