import "./style.css";
import { render } from "preact";
import { Shell } from "./Shell";
import { language } from "./words";

document.documentElement.lang = language.value;
render(<Shell />, document.getElementById("app")!);
