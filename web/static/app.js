// What pages do beyond showing themselves: keys, the palette, times that count, news. Nothing here is needed to read a page or
// to act on it.
(() => {
  'use strict';
  const $ = (s, at) => (at || document).querySelector(s), $$ = (s, at) => [...(at || document).querySelectorAll(s)];

  // Times: relative ones go on counting, and a tap tells the instant in the reader's zone, the schedule's and UTC.
  const span = s => {
    const a = Math.abs(s), d = Math.floor(a / 86400), h = Math.floor(a / 3600) % 24, m = Math.floor(a / 60) % 60;
    return a < 60 ? `${Math.floor(a)} s` : a < 3600 ? `${m} min` : a < 86400 ? `${h} h ${m} min` : `${d} d ${h} h`;
  };
  const skew = Date.now() - Date.parse(document.body.dataset.now || new Date().toISOString());
  const tick = () => {
    for (const t of $$('time[data-rel]')) {
      const s = (Date.parse(t.dateTime) + skew - Date.now()) / 1000;
      const text = s > 0 ? `in ${span(s)}` : `${span(s)} ago`;
      if (t.textContent !== text) t.textContent = text;
    }
  };
  const inZone = (d, zone) => {
    try {
      return d.toLocaleString(undefined, {timeZone: zone, weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short'});
    } catch { return ''; }
  };
  const telling = t => {
    const d = new Date(t.dateTime), zones = [undefined, t.dataset.zone, 'UTC'].filter((z, i, all) => i === 0 || z && all.indexOf(z) === i);
    return [...new Set(zones.map(z => inZone(d, z)))].filter(Boolean).join(' · ');
  };
  const ready = at => {
    for (const t of $$('time', at)) if (!t.title) { t.title = telling(t); t.tabIndex = 0; }
  };
  document.addEventListener('click', e => {
    const t = e.target.closest && e.target.closest('time');
    if (!t || t.closest('a,button')) return;
    const next = t.nextElementSibling;
    if (next && next.className === 'told') { next.remove(); return; }
    const told = document.createElement('small');
    told.className = 'told';
    told.textContent = ` ${telling(t)} `;
    t.after(told);
  });
  setInterval(tick, 1000);
  ready(); tick();

  // Rows: j and k go through them, and a key presses the button that says so, in the row or on the page.
  let row = null;
  const rows = () => $$('[data-row]').filter(r => r.offsetParent);
  const go = to => {
    const all = rows();
    if (!all.length) return;
    const i = row && row.isConnected ? all.indexOf(row) : -1;
    if (row) row.classList.remove('at');
    row = all[Math.max(0, Math.min(all.length - 1, i + to))];
    row.classList.add('at');
    row.scrollIntoView({block: 'nearest'});
    const a = $('a', row);
    if (a) a.focus({preventScroll: true});
  };
  const press = key => {
    const b = (row && row.isConnected && $(`[data-key="${key}"]`, row)) || $(`[data-key="${key}"]:not([data-row] *)`);
    if (!b) return false;
    b.click();
    return true;
  };

  // The palette and the help are made when somebody asks for them.
  const dialog = (title, body) => {
    const d = document.createElement('dialog');
    d.setAttribute('aria-label', title);
    d.append(...body);
    d.addEventListener('close', () => d.remove());
    document.body.append(d);
    d.showModal();
    return d;
  };
  const el = (tag, text, more) => Object.assign(document.createElement(tag), {textContent: text || '', ...more});
  const palette = () => {
    const input = el('input', '', {type: 'search', placeholder: 'Where to, or what to do? INC-12 opens an incident'});
    input.setAttribute('aria-label', 'Command');
    const list = el('ul');
    const commands = [
      ...$$('#menu a').map(a => ({text: a.textContent.trim(), run: () => a.click()})),
      ...$$('main [data-command]').map(b => ({text: b.dataset.command, run: () => b.click()})),
      ...$$('main [data-row] a').slice(0, 60).map(a => ({text: a.textContent.trim().replace(/\s+/g, ' ').slice(0, 80), run: () => a.click()})),
    ];
    let at = 0, shown = [];
    const draw = () => {
      const q = input.value.trim().toLowerCase(), id = /^(?:inc-)?(\d+)$/.exec(q);
      shown = commands.filter(c => c.text.toLowerCase().includes(q)).slice(0, 40);
      if (id) shown.unshift({text: `Open INC-${id[1]}`, run: () => { location.href = `${document.body.dataset.root}incidents/INC-${id[1]}`; }});
      at = Math.min(at, Math.max(0, shown.length - 1));
      list.replaceChildren(...shown.map((c, i) => {
        const li = el('li', '', {className: i === at ? 'at' : ''}), b = el('button', c.text, {type: 'button'});
        b.onclick = () => { d.close(); c.run(); };
        li.append(b);
        return li;
      }));
    };
    input.oninput = () => { at = 0; draw(); };
    input.onkeydown = e => {
      if (e.key === 'ArrowDown') at++; else if (e.key === 'ArrowUp') at = Math.max(0, at - 1);
      else if (e.key === 'Enter') { if (shown[at]) { d.close(); shown[at].run(); } } else return;
      e.preventDefault();
      draw();
    };
    const d = dialog('Commands', [input, list]);
    draw();
    input.focus();
  };
  const help = () => {
    const list = el('ul');
    for (const [keys, what] of [['j k', 'next, previous row'], ['Enter', 'open the row'], ['a', 'acknowledge'], ['e', 'escalate now'], ['r', 'resolve'], ['s', 'snooze, or silence'],
      ['/', 'filter'], ['g', `then ${$$('#menu a[data-go]').map(a => `${a.dataset.go} ${a.textContent.trim()}`).join(', ')}`], ['Ctrl K', 'commands'], ['?', 'this']]) {
      const li = el('li');
      li.append(el('kbd', keys), ` ${what}`);
      list.append(li);
    }
    const close = el('button', 'Close', {type: 'button', className: 'quiet'}), d = dialog('Keys', [el('h2', 'Keys'), list, close]);
    close.onclick = () => d.close();
  };

  let leading = 0;
  document.addEventListener('keydown', e => {
    if ((e.ctrlKey || e.metaKey) && e.key === 'k') { e.preventDefault(); if (!$('dialog[open]')) palette(); return; }
    if (e.ctrlKey || e.metaKey || e.altKey || $('dialog[open]')) return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.target.isContentEditable;
    if (typing) { if (e.key === 'Escape') e.target.blur(); return; }
    if (e.target.tagName === 'TIME' && e.key === 'Enter') { e.target.click(); return; }
    if (leading && Date.now() - leading < 1500) {
      leading = 0;
      const a = $(`#menu a[data-go="${CSS.escape(e.key)}"]`);
      if (a) { e.preventDefault(); a.click(); }
      return;
    }
    if (e.key === 'g') leading = Date.now();
    else if (e.key === 'j') go(1);
    else if (e.key === 'k') go(-1);
    else if (e.key === '?') help();
    else if (e.key === '/') { const f = $('[data-filter]'); if (f) { e.preventDefault(); f.focus(); f.select && f.select(); } }
    else if ('aers'.includes(e.key) && e.key.length === 1) { if (press(e.key)) e.preventDefault(); }
  });

  // A select or a box that changes the view sends its form; without scripts there is a button.
  document.addEventListener('change', e => { if (e.target.matches('[data-send]')) e.target.form.requestSubmit(); });
  for (const b of $$('[data-noscript]')) b.hidden = true;
  document.addEventListener('change', e => {
    if (e.target.matches('[data-all]')) for (const c of $$(`input[type=checkbox][name="${CSS.escape(e.target.dataset.all)}"]`)) c.checked = e.target.checked;
  });

  // A field that stands elsewhere on the page is sent as it is now, and not as it was when the form was made.
  document.addEventListener('submit', e => {
    for (const i of $$('input[data-from]', e.target)) { const f = document.getElementById(i.dataset.from); if (f) i.value = f.value; }
  }, true);

  // A form is sent once, however often its button is pressed on a bad line.
  document.addEventListener('submit', e => {
    if (e.target.method !== 'post' || e.target.dataset.again !== undefined) return;
    setTimeout(() => { for (const b of $$('button', e.target)) b.disabled = true; }, 0);
    setTimeout(() => { for (const b of $$('button', e.target)) b.disabled = false; }, 8000);
  });
  addEventListener('pageshow', () => { for (const b of $$('button[disabled]')) b.disabled = false; });

  // News: what is on the page is brought up to date where it stands. Where rows would move, a button says that there is news, so that
  // nothing jumps under a thumb.
  const topics = (document.body.dataset.live || '').split(' ').filter(Boolean), state = $('#live');
  if (!topics.length || !window.EventSource || !state) return;
  let heard = 0, touched = 0, waiting = null, busy = false, again = false;
  const show = (s, text) => { if (state.dataset.state !== s) { state.dataset.state = s; state.textContent = text; } };
  for (const kind of ['pointerdown', 'keydown', 'scroll', 'touchstart']) addEventListener(kind, () => { touched = Date.now(); }, {passive: true, capture: true});
  const order = at => $$('[data-row]', at).map(r => r.id).join(' ');
  const put = (old, fresh) => {
    const chosen = new Set($$('input[type=checkbox]:checked', old).map(c => c.value)), open = new Set($$('details[open][id]', old).map(d => d.id));
    const focus = document.activeElement && old.contains(document.activeElement) && document.activeElement.id, at = row && row.id;
    old.replaceWith(fresh);
    for (const c of $$('input[type=checkbox]', fresh)) if (chosen.has(c.value)) c.checked = true;
    for (const d of $$('details[id]', fresh)) if (open.has(d.id)) d.open = true;
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus({preventScroll: true});
    if (at && document.getElementById(at)) { row = document.getElementById(at); row.classList.add('at'); }
    if (window.htmx) window.htmx.process(fresh);
    ready(fresh); tick();
  };
  const refresh = async force => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, {headers: {'HX-Request': 'true'}, cache: 'no-store'});
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      let held = false;
      for (const old of $$('[data-live-part]')) {
        const fresh = page.getElementById(old.id);
        if (!fresh || fresh.innerHTML === old.innerHTML) continue;
        const typing = document.activeElement && old.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName) && document.activeElement.type !== 'checkbox';
        const moves = order(old) !== order(fresh) && (scrollY > 40 || row || Date.now() - touched < 10000);
        if (!force && (moves || typing || $('dialog[open]'))) { held = true; continue; }
        put(old, document.adoptNode(fresh));
      }
      if (held && !waiting) {
        waiting = el('button', 'There is news. Show it', {type: 'button', className: 'news'});
        waiting.onclick = () => { waiting.remove(); waiting = null; refresh(true); };
        document.body.append(waiting);
      } else if (!held && waiting) { waiting.remove(); waiting = null; }
      show('live', 'live');
    } catch { show('stale', 'stale: not reached'); }
    busy = false;
    if (again) { again = false; refresh(); }
  };
  const source = new EventSource(`${document.body.dataset.root}events`);
  source.addEventListener('beat', () => { const first = heard === 0 || state.dataset.state === 'stale'; heard = Date.now(); show('live', 'live'); if (first && heard) refresh(); });
  source.addEventListener('change', e => { heard = Date.now(); show('live', 'live'); if (e.data.split(' ').some(t => topics.includes(t))) refresh(); });
  source.onerror = () => { if (Date.now() - heard > 5000) show('stale', 'stale: no connection'); };
  setInterval(() => { if (heard && Date.now() - heard > 35000) show('stale', 'stale: nothing heard'); if (state.dataset.state === 'stale') refresh(); }, 10000);
  addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
})();
