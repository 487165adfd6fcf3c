// What a POST may say.
import { z } from "zod";

// PostgreSQL stores neither U+0000 nor half a surrogate pair.
const text = (most) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((value) => value.isWellFormed() && !value.includes("\0") && /[^\p{Z}\p{C}]/u.test(value), {
      message: "must have something to read, and no unpaired surrogate",
    });

const userId = z
  .string()
  .min(1)
  .max(128)
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), { message: "must have no control characters" });

const url = z.string().refine(
  (value) => {
    if (/[\p{Cc}\\]/u.test(value)) return false;
    return /^\/(?!\/)/.test(value) || (/^https?:\/\//i.test(value) && URL.canParse(value));
  },
  { message: "must be http, https, or a path of this site" },
);

const alert = z.strictObject({
  title: text(200),
  message: text(4_000),
  type: z.enum(["info", "warning", "error", "success"]).default("info"),
  action: z.strictObject({ label: text(80), url }).optional(),
});

export const call = z
  .strictObject({
    user_id: userId.optional(),
    user_ids: z.array(userId).min(1).max(10_000).optional(),
    event: z.literal("alert").default("alert"),
    data: alert,
  })
  .refine((value) => (value.user_id === undefined) !== (value.user_ids === undefined), {
    message: "exactly one of user_id and user_ids",
  });

export const seq = z.int().min(0);
