import { Waymark } from "./client.js";
import { firstHour } from "./journey.js";

const [url, email, password, slug] = process.argv.slice(2);
if (url === undefined || email === undefined || password === undefined || slug === undefined) {
  console.error("usage: npm start -- URL EMAIL PASSWORD COURSE-SLUG");
  process.exit(2);
}
console.log(JSON.stringify(await firstHour(new Waymark(url), email, password, slug), null, 2));
