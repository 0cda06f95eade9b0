// Words the extension itself brings. Those of the bar and the toasts are `data-*` attributes in their templates,
// where the server chooses the language; an attribute of the control, or `data-rt-requires` on <html>, beats this one.

export const REQUIRES = "Not available until the connection is back.";
