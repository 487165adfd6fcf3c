/** What the types must refuse. */
import { useInbox, NotificationBell } from "live-notifications-client/react";
import type { NotificationBell as BellElement } from "live-notifications-client/bell";
import { createRef } from "react";

export function Wrong() {
  // @ts-expect-error a token is needed
  const inbox = useInbox({ url: "/" });
  // @ts-expect-error the inbox is the server's word
  inbox.unread = 3;
  const [first] = inbox.items;
  // @ts-expect-error there may be no entry
  void first.id;
  // @ts-expect-error an alert has no total
  if (first?.event === "alert") void first.data.total;
  const bell = createRef<BellElement>();
  return (
    <>
      <NotificationBell ref={bell} tokenUrl="/my/token" theme="dark" style={{ color: "red" }} onClick={() => bell.current?.show()} />
      {/* @ts-expect-error no such theme */}
      <NotificationBell theme="blue" />
      {/* @ts-expect-error a badge has a type */}
      <notification-badge />
      {/* @ts-expect-error attributes are words with hyphens */}
      <notification-bell tokenUrl="/my/token" />
      <notification-bell token-url="/my/token" no-toasts="" class="top" lang="de" />
    </>
  );
}
