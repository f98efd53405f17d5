"""Colours, and the one style sheet of the page. Light, dark, narrow, print.

Colour means a state or a side of a comparison, never decoration; every coloured mark also differs
by position, outline or word. ``tests/unit/report/test_style.py`` measures the distances under
simulated colour blindness.
"""

from __future__ import annotations

# name -> (light, dark). Chosen so that any two stay apart in each kind of colour blindness.
PALETTE = {
    "stress": ("#c34107", "#ff8222"),
    "rest": ("#2659ab", "#5a9aee"),
    "exercise": ("#401339", "#9a19ff"),
    "moving": ("#09a867", "#28e299"),
    "unsure": ("#e0a109", "#fbe77c"),
    "poor": ("#828993", "#989da4"),
    "off": ("#caced5", "#50555f"),
}
STATE_CLASSES = {
    "stress": "stress",
    "unsure": "unsure",
    "rest": "rest",
    "exercise": "exercise",
    "moving": "moving",
    "poor_signal": "poor",
    "not_worn": "off",
}
ACTIVITY_ORDER = ("run", "stairs", "walk", "other", "still")

_LIGHT = {
    "page": "#f6f7f9",
    "card": "#ffffff",
    "plot": "#fafbfc",
    "line": "#dfe3e8",
    "grid": "#e9ecf0",
    "text": "#17202a",
    "soft": "#55606d",
    "ink": "#2f4a66",
    "band": "#a9bccf",
    "personal": "#4338ca",
    "generic": "#7a8591",
    "good": "#0b6b57",
    "bad": "#b42318",
    "hatch": "#aab3bd",
    "shade": "#e8ebef",
    "on": "#ffffff",
}
_DARK = {
    "page": "#0e1318",
    "card": "#151c23",
    "plot": "#11171d",
    "line": "#2b353f",
    "grid": "#212a33",
    "text": "#e7ecf1",
    "soft": "#9aa6b2",
    "ink": "#a9c4de",
    "band": "#45617c",
    "personal": "#a5b4fc",
    "generic": "#8b96a3",
    "good": "#2dd4a7",
    "bad": "#ff8a7a",
    "hatch": "#4c5863",
    "shade": "#1e2730",
    "on": "#10161c",
}


def _variables(theme: dict[str, str], side: int) -> str:
    colours = theme | {name: pair[side] for name, pair in PALETTE.items()}
    return "".join(f"--{name}:{value};" for name, value in colours.items())


_STATES = "".join(f".f-{name}{{fill:var(--{name})}}" for name in PALETTE)

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
main{max-width:1080px;margin:0 auto;padding:28px 24px 40px}
h1,.facts dd,.cards dd{overflow-wrap:anywhere}
h1{font-size:27px;line-height:1.2;margin:0;letter-spacing:-.015em}
h2{font-size:18px;line-height:1.3;margin:0 0 2px;letter-spacing:-.005em}
h3{font-size:13px;margin:18px 0 4px;color:var(--soft);font-weight:600}
p{margin:0 0 8px}a{color:inherit}
.lead{color:var(--soft);margin:6px 0 0}
.eyebrow{font-size:12px;font-weight:600;letter-spacing:.09em;text-transform:uppercase;
color:var(--soft);margin:0 0 6px}
.facts{display:flex;flex-wrap:wrap;gap:4px 22px;margin:12px 0 0;font-size:13px}
.facts div{display:flex;gap:6px}.facts dt{color:var(--soft)}.facts dd{margin:0}
nav{margin:14px 0 0;font-size:13px;color:var(--soft);display:flex;flex-wrap:wrap;gap:4px 14px}
nav a{text-underline-offset:3px;text-decoration-color:var(--line)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin:20px 0 0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.cards dt{font-size:12.5px;color:var(--soft)}
.cards dd{margin:1px 0 0;font-size:21px;line-height:1.25;font-weight:600;letter-spacing:-.01em}
.cards dd small{display:block;font-size:12.5px;font-weight:400;letter-spacing:0;color:var(--soft);
margin-top:2px}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:18px 20px 16px;margin:16px 0 0}
.say{color:var(--soft);font-size:14px;max-width:110ch}
.empty{color:var(--soft);border-left:3px solid var(--line);padding:2px 0 2px 12px;margin:8px 0 2px}
.seal{border-left:5px solid var(--good)}.seal.open{border-left-color:var(--bad)}
.seal.dim{border-left-color:var(--hatch)}
.seal h2{font-size:13px;color:var(--soft);font-weight:600}
.big{font-size:22px;font-weight:600;margin:2px 0 6px;line-height:1.3}
ul{margin:4px 0 8px;padding-left:20px}li{margin:2px 0}
figure{margin:12px 0 4px}figcaption{font-size:12.5px;color:var(--soft);margin:6px 0 0;
max-width:95ch}
.pair{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:8px 28px;align-items:start}
.half{display:grid;grid-template-columns:1fr 1fr;gap:8px 28px;align-items:start}
.scroll{overflow-x:auto;margin:8px 0 4px;background:
linear-gradient(90deg,var(--card) 24px,transparent) 0 0/48px 100% no-repeat local,
linear-gradient(270deg,var(--card) 24px,transparent) 100% 0/48px 100% no-repeat local,
linear-gradient(90deg,var(--line),transparent) 0 0/12px 100% no-repeat scroll,
linear-gradient(270deg,var(--line),transparent) 100% 0/12px 100% no-repeat scroll}
.scroll:focus-visible{outline:2px solid var(--personal);outline-offset:3px}
table{border-collapse:collapse;width:100%;font-size:13px;line-height:1.4}
caption{text-align:left;color:var(--soft);font-size:12.5px;padding:0 0 4px}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--grid);vertical-align:top}
thead th{color:var(--soft);font-weight:600;border-bottom-color:var(--line);white-space:nowrap}
tbody th{font-weight:500;min-width:7em}.heat tbody th{min-width:0}
tbody tr:last-child>*{border-bottom:0}
.n{text-align:right;white-space:nowrap}
td.words{min-width:15em}.t{white-space:nowrap}
code{font:12px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
color:var(--soft)}
.mark{font-weight:600;white-space:nowrap}.mark.good{color:var(--good)}.mark.bad{color:var(--bad)}
.heat td{text-align:center;border:1px solid var(--line);padding:8px 6px}
.heat th,.heat td.x{padding:6px 10px 6px 0;border:0;vertical-align:middle}
.heat thead th{text-align:center;padding:4px 6px}
.heat .hit{outline:2px solid var(--ink);outline-offset:-2px}
.heat td small{display:block;color:var(--soft)}
footer{color:var(--soft);font-size:12.5px;margin:22px 2px 0}
svg{display:block;width:100%;height:auto;font-size:12px;font-family:inherit}
svg.narrow{display:none}
svg text{fill:var(--soft)}svg text.h{fill:var(--text);font-size:13px;font-weight:600}
svg text.h tspan{fill:var(--soft);font-weight:400;font-size:12px}
svg text.r{font-size:11px}svg text.e{text-anchor:end}svg text.m{text-anchor:middle}
svg text.v{fill:var(--text)}svg text.on{fill:var(--on);font-weight:600;font-size:11px}
svg text.p{fill:var(--personal);font-weight:600}
svg text.sign{fill:var(--personal);font-weight:700;font-size:13px;text-anchor:middle}
svg text.sign.bad{fill:var(--bad)}
.story{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:12px 28px;
margin:12px 0 0;font-size:13px;line-height:1.45}.story dt{font-weight:600}
.story dd{margin:0;padding-left:3.4em;text-indent:-3.4em}.story small{color:var(--soft);font-size:12px;
display:inline-block;width:3.4em;text-indent:0}.story b{color:var(--personal)}.story b.bad{color:var(--bad)}
.walk-other{fill:var(--card);stroke:var(--bad);stroke-width:1.6}
.plot{fill:var(--plot)}.shade{fill:var(--shade)}.hatchline{stroke:var(--hatch);stroke-width:1.6}
.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--line);stroke-width:1}
.day{stroke:var(--hatch);stroke-width:1}
.band{fill:var(--band);stroke:var(--band);stroke-width:.8;stroke-linejoin:round}
.curve{fill:none;stroke:var(--ink);stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round}
.pale{opacity:.32}.dot{fill:var(--ink)}
.event{fill:var(--card);stroke:var(--text);stroke-width:1.3}
.learn{stroke:var(--personal);stroke-width:1.4;stroke-dasharray:5 3}.flag{fill:var(--personal)}
.c-personal{fill:none;stroke:var(--personal);stroke-width:2;stroke-linejoin:round;
stroke-linecap:round}
.c-generic{fill:none;stroke:var(--generic);stroke-width:1.6;stroke-dasharray:1 3;
stroke-linejoin:round;stroke-linecap:round}
.b-personal{fill:var(--personal);opacity:.16}.b-stress{fill:var(--stress);opacity:.13}
.threshold{stroke:var(--text);stroke-width:1.2;stroke-dasharray:6 4}
.bar-before{fill:var(--card);stroke:var(--generic);stroke-width:1.4}
.bar-after{fill:var(--personal)}.bar-ink{fill:var(--ink)}
.bar-others{fill:var(--card);stroke:var(--generic);stroke-width:1.4}
.whisk{stroke:var(--text);stroke-width:1.4;fill:none}
.halo{stroke:var(--card);stroke-width:4;fill:none}
.control{fill:var(--card);stroke:var(--text);stroke-width:1.4}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 0;padding:0;list-style:none;
font-size:12.5px;color:var(--soft)}
.key li{display:flex;align-items:center;gap:6px;margin:0}.key svg{width:26px;height:12px;flex:none}
@media screen and (max-width:1020px){.cards{grid-template-columns:repeat(3,1fr)}}
@media screen and (max-width:760px){
main{padding:18px 12px 28px}section{padding:14px 13px 12px;border-radius:10px}
h1{font-size:22px}.cards{grid-template-columns:1fr 1fr;gap:8px}.cards dd{font-size:18px}
.pair,.half{grid-template-columns:minmax(0,1fr)}
svg.wide{display:none}svg.narrow{display:block;max-width:560px}}
@media print{
@page{size:A4;margin:13mm}
body{background:#fff;font-size:11px;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:none;padding:0}nav{display:none}.scroll{overflow:visible}
section{border-radius:0;border-width:1px 0 0;padding:10px 0 4px;margin:10px 0 0}
.seal{border-left-width:4px;padding-left:12px}
h2,h3,caption{break-after:avoid}figure,tr,.cards div,.big{break-inside:avoid}
.say{break-after:avoid}
table,.say,figcaption,.key,h3,caption,footer,.facts{font-size:10px}code,small{font-size:9px}
.cards dt,.cards dd small{font-size:9.5px}.cards dd{font-size:15px}.cards div{padding:7px 9px}
.cards{grid-template-columns:repeat(6,1fr);gap:7px}
th,td{padding-right:8px}td.words{min-width:0}}
"""

STYLE_SHEET = (
    f":root{{color-scheme:light dark;{_variables(_LIGHT, 0)}}}"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(_DARK, 1)}}}}}"
    + _STATES
    + _RULES.replace("\n", "")
)
