import { StrictMode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import "live-notifications-client/badge";
import { App } from "./App";

const root = document.querySelector("#root");
if (!root) throw new Error("no #root");
const app = <StrictMode><App /></StrictMode>;
if (root.hasChildNodes()) hydrateRoot(root, app);
else createRoot(root).render(app);
