/** An inbox of the application's own making, beside the bell, both on one client. */
import { useState } from "react";
import type { InboxEntry } from "live-notifications-client";
import { NotificationBell, useInbox } from "live-notifications-client/react";

declare module "live-notifications-client" {
  interface NotifierEntries { invoice: { readonly total: number } }
}

const token = async (): Promise<string> => (await fetch("/test/token")).text();

function title(entry: InboxEntry): string {
  switch (entry.event) {
    case "alert": return entry.data.title;
    case "invoice": return `Invoice over ${entry.data.total.toFixed(2)}`;
  }
}

function Inbox({ user }: { user: string }) {
  const inbox = useInbox({ url: "/", token, user });
  return (
    <main>
      <NotificationBell client={inbox.client} words={{ title: "News" }} noTitle id="bell" />
      <notification-badge type="messages" for="bell" />
      <p id="state">{inbox.state}</p>
      <p id="unread">{inbox.unread}</p>
      <ul>{inbox.items.map((entry) => <li key={entry.id} data-read={entry.read_at !== null}>{title(entry)}</li>)}</ul>
      <button id="read" onClick={() => void inbox.readAll()}>Read all</button>
    </main>
  );
}

export function App() {
  const [shown, show] = useState(true);
  return (
    <>
      {shown && <Inbox user="me" />}
      <button id="toggle" onClick={() => { show(!shown); }}>Toggle</button>
    </>
  );
}
