/** JSX types of the elements for React: `import type {} from "live-notifications-client/elements"`. */
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { NotificationBadge } from "./badge.js";
import type { NotificationBell } from "./bell.js";
import type { BadgeType } from "./notifier.js";

export interface NotificationBellAttributes extends HTMLAttributes<NotificationBell> {
  url?: string | undefined;
  token?: string | undefined;
  "token-url"?: string | undefined;
  theme?: "light" | "dark" | undefined;
  /** What the bell, the title and the application's icon count; by default the unread. */
  count?: "unread" | "unseen" | undefined;
  /** Present (an empty string) or absent. */
  "no-toasts"?: "" | undefined;
  "no-title"?: "" | undefined;
  "no-preferences"?: "" | undefined;
  /** React passes this to the element unchanged. */
  class?: string | undefined;
}

export interface NotificationBadgeAttributes extends HTMLAttributes<NotificationBadge> {
  type: BadgeType | (string & {});
  /** The id of a bell. */
  for?: string | undefined;
  class?: string | undefined;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "notification-bell": DetailedHTMLProps<NotificationBellAttributes, NotificationBell>;
      "notification-badge": DetailedHTMLProps<NotificationBadgeAttributes, NotificationBadge>;
    }
  }
}
