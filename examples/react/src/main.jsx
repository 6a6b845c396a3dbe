import { createRoot } from "react-dom/client";
import { App } from "./App.jsx";
import "../../chat/page/style.css";

createRoot(document.getElementById("app")).render(<App />);
