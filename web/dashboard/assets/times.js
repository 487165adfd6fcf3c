// Times are written in UTC; on hover each says what that is where the viewer is.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
for (const element of document.querySelectorAll("time[datetime]")) {
  const at = new Date(element.dateTime);
  if (!Number.isNaN(at.getTime())) element.title = `${zone.format(at)}, where you are`;
}
