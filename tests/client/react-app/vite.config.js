/** Nothing but where the page is, and React's own way to compile JSX. */
export default { base: "/app/", esbuild: { jsx: "automatic" }, build: { reportCompressedSize: false } };
