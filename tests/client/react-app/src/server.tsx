/** What a server makes of the same application: importing and rendering it needs no browser. */
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import "live-notifications-client/badge";
import "live-notifications-client/bell";
import { App } from "./App";

console.log(renderToString(<StrictMode><App /></StrictMode>));
