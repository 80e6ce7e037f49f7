// Filters, folds and leads to places. What it reads is in the page; it asks nobody for anything.
(() => {
  'use strict';
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const data = JSON.parse($('#data').textContent);
  const root = document.documentElement;
  const byId = new Map(data.ids.map((id, index) => [id, index]));
  const rows = $$('#matrix tr[data-i]');
  const cards = $$('article.card');
  const WORDS = { f: 'failed', u: 'unstable', n: 'non-strict', i: 'informational', m: 'unimplemented', p: 'passed', x: 'no result' };

  // For each peer the card of each failed case.
  const cardOf = data.peers.map(() => new Map());
  data.cards.forEach((card, n) => card.cases.forEach((at) => cardOf[card.peer].set(at, n)));
  const element = (card) => document.getElementById(card.at);
  const several = data.peers.length > 1;
  const encode = (text) => encodeURIComponent(text).replace(/%2F/g, '/').replace(/%3A/g, ':');
  const placeOf = (peer, at) => encode(data.ids[at]) + (several ? '@' + encode(data.peers[peer].name) : '');

  // ---- filter
  const filter = { v: '', b: '', s: '', basis: '', p: '', q: '' };
  const fields = { s: $('#s'), basis: $('#basis'), p: $('#p'), b: $('#b'), q: $('#q') };
  const LETTER = { must: 'm', should: 's', race: 'r', disputed: 'd' };
  const isOn = () => Object.values(filter).some(Boolean);

  const glob = (pattern) => {
    const escaped = pattern.toLowerCase().replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*');
    const expression = new RegExp('^' + escaped);
    return (name) => expression.test(name.toLowerCase());
  };

  // Words are joined by "and"; -word excludes. Hex octets may have spaces between them.
  const terms = (query) => {
    const text = query.toLowerCase().trim();
    const hex = text.replace(/\s+/g, '');
    const octets = /^[0-9a-f]{4,}$/.test(hex) && hex.length % 2 === 0 ? hex : '';
    const words = text.split(/\s+/).filter(Boolean);
    return (hay) => (octets && hay.includes(octets)) || words.every((word) =>
      word[0] === '-' && word.length > 1 ? !hay.includes(word.slice(1)) : hay.includes(word));
  };

  const titles = data.ids.map((id, at) => (id + ' ' + data.titles[at] + ' ').toLowerCase());
  const section = (at) => data.ids[at].split('.')[0];

  function apply(write) {
    const peers = data.peers.map((peer, n) => n).filter((n) => !filter.p || glob(filter.p)(data.peers[n].name));
    const found = filter.q ? terms(filter.q) : null;
    const basis = LETTER[filter.basis] || filter.basis;
    const hit = new Uint8Array(data.ids.length);
    const shown = new Set();
    let cells = 0;
    for (const n of peers) {
      const { verdicts, bases, codes } = data.peers[n];
      for (let at = 0; at < data.ids.length; at++) {
        const verdict = verdicts[at];
        if (filter.v && !filter.v.includes(verdict)) continue;
        if (basis && bases[at] !== basis) continue;
        if (filter.s && section(at) !== filter.s) continue;
        const card = cardOf[n].get(at);
        if (filter.b && (card === undefined || data.cards[card].state !== filter.b)) continue;
        if (found) {
          const more = (card === undefined ? '' : data.cards[card].text) + ' ' + WORDS[verdict] + ' ' + (codes[at] || '');
          if (!found(titles[at] + more)) continue;
        }
        cells++;
        hit[at] = 1;
        if (card !== undefined) shown.add(card);
      }
    }
    const on = isOn();
    const grid = $('.grid');
    let visible = 0;
    for (const row of rows) {
      const at = +row.dataset.i;
      const show = hit[at] && (on || all || !row.classList.contains('fine'));
      row.hidden = !show || folded.has(section(at));
      visible += show;
    }
    for (const head of $$('#matrix tr.sub')) {
      let next = head.nextElementSibling;
      while (next && !next.dataset.i) next = next.nextElementSibling;
      let any = false;
      for (; next && next.dataset.i; next = next.nextElementSibling) any = any || !next.hidden;
      head.hidden = !any;
    }
    const here = new Set(rows.filter((row) => hit[+row.dataset.i] && (on || all || !row.classList.contains('fine'))).map((row) => section(+row.dataset.i)));
    for (const body of $$('#matrix tbody')) body.hidden = !here.has(body.dataset.s);
    const visibleCards = new Set([...shown].map((n) => data.cards[n].at));
    for (const card of cards) card.hidden = on && !visibleCards.has(card.id);
    for (const item of $$('.causes li')) {
      const links = $$('a', item).map((a) => a.getAttribute('href').replace(/^#/, ''));
      item.hidden = on && !links.some((at) => visibleCards.has(at));
    }
    for (const cell of $$('.map a')) cell.classList.toggle('off', on && !hit[+cell.dataset.i]);
    if (several) rove();
    const total = data.ids.length * data.peers.length;
    $('#out') && ($('#out').textContent = on ? (cells ? `${cells} of ${total} results` : 'nothing matches; Esc clears') : '');
    if (grid) grid.hidden = !visible;
    const shownWords = $('#shown');
    if (shownWords) {
      shownWords.replaceChildren();
      const left = rows.length - visible;
      if (!on) {
        shownWords.append(all ? '' : `${left} that simply passed are folded `);
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = all ? 'Fold what passed' : `Show all ${rows.length}`;
        button.onclick = () => { all = !all; apply(false); };
        if (left || all) shownWords.append(button);
      } else shownWords.append(`${visible} that match`);
    }
    $$('.count').forEach((link) => link.setAttribute('aria-pressed', String(filter.v.includes(link.dataset.v))));
    if (write) {
      const parts = Object.entries(filter).filter(([, value]) => value).map(([key, value]) => key + '=' + encodeURIComponent(value).replace(/%20/g, '+'));
      history.replaceState(null, '', parts.length ? '#?' + parts.join('&') : location.pathname + location.search);
    }
  }
  // One cell of the table is in the order of Tab: one that is to be seen.
  function rove() {
    const isSeen = (row) => !row.hidden && !row.parentElement.hidden;
    const now = $('#matrix td a[tabindex="0"]');
    if (now && isSeen(now.closest('tr'))) return;
    if (now) now.tabIndex = -1;
    const link = rows.filter(isSeen).map((row) => $('td a', row)).find(Boolean);
    if (link) link.tabIndex = 0;
  }
  let all = rows.length <= 40;
  const folded = new Set();

  function clear(write) {
    for (const key of Object.keys(filter)) filter[key] = '';
    for (const field of Object.values(fields)) if (field) field.value = '';
    apply(write);
  }
  function toggle(letter) {
    filter.v = filter.v.includes(letter) ? filter.v.replace(letter, '') : filter.v + letter;
    apply(true);
  }
  $$('.count').forEach((link) => {
    link.setAttribute('role', 'button');
    link.onclick = (event) => { event.preventDefault(); toggle(link.dataset.v); };
    link.onkeydown = (event) => { if (event.key === ' ') { event.preventDefault(); toggle(link.dataset.v); } };
  });
  for (const [key, field] of Object.entries(fields)) {
    if (field) field.oninput = () => { filter[key] = field.value.trim(); apply(true); };
  }
  $('.find') && ($('.find').hidden = false, $('.find').onsubmit = (event) => event.preventDefault());
  $('#clear') && ($('#clear').onclick = () => clear(true));
  $$('.fold').forEach((button) => {
    button.onclick = () => {
      const name = button.closest('tbody').dataset.s;
      folded.has(name) ? folded.delete(name) : folded.add(name);
      button.setAttribute('aria-expanded', String(!folded.has(name)));
      apply(false);
    };
  });

  // ---- places
  let current = null;
  function select(card, focus) {
    $$('.cur').forEach((other) => other.classList.remove('cur'));
    current = card;
    card.classList.add('cur');
    if (focus) card.focus({ preventScroll: true });
  }
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

  function say(text) { const out = $('#out'); if (out) out.textContent = text; }

  // Whether an attempt is the one that this page shows. Others are on the page of their case.
  function shows(peer, at, attempt) {
    const [, count, counts] = data.peers[peer].attempts.find(([of]) => of === at) || [at, 1, 1];
    if (attempt === counts) return true;
    if (attempt < 1 || attempt > count) {
      say(`${data.ids[at]} has ${count === 1 ? 'one attempt' : count + ' attempts'}`);
      return false;
    }
    const line = rows.find((row) => +row.dataset.i === at);
    const link = line && $('a', line.cells[several ? peer + 2 : 0]);
    if (link) location.replace(link.href.split('#')[0] + '#attempt-' + attempt);
    return false;
  }

  function go() {
    const hash = location.hash.slice(1);
    if (hash[0] === '?') {
      const given = new URLSearchParams(hash.slice(1));
      for (const key of Object.keys(filter)) {
        filter[key] = (given.get(key) || '').slice(0, 200);
        if (fields[key]) fields[key].value = key === 'basis' ? LETTER[filter.basis] || filter.basis : filter[key];
      }
      return apply(false);
    }
    if (!hash || hash === 'causes') return;
    if (hash === 'matrix') return $('#matrix')?.scrollIntoView();
    const [, path, attempt, row] = /^(.*?)(?:~(\d+))?(?:!(\d+))?$/.exec(hash);
    const [id, ...name] = decode(path).split('@');
    const at = byId.get(id);
    if (at === undefined) return say(`${id.slice(0, 40)} is not in this run`);
    const peer = name.length ? data.peers.findIndex((peer) => peer.name === name.join('@')) : data.peers.findIndex((peer, n) => cardOf[n].has(at));
    if (name.length && peer < 0) return say(`${name.join('@').slice(0, 40)} is not in this run`);
    const found = cardOf[Math.max(peer, 0)].get(at);
    if (attempt && !shows(Math.max(peer, 0), at, +attempt)) return;
    const card = found === undefined ? null : element(data.cards[found]);
    if (card) {
      if (card.hidden) clear(false);
      select(card, true);
      const talk = $(':scope > details', card);
      if (talk) talk.open = true;
      const line = row && document.getElementById(card.id + '!' + row);
      (line || card).scrollIntoView();
      if (line) line.classList.add('hit');
      const wrong = !row && $('.wrong', card);
      if (wrong && talk && card.offsetHeight > innerHeight * 3) wrong.scrollIntoView({ block: 'center' });
      return;
    }
    const line = rows.find((row) => +row.dataset.i === at);
    if (!line) return;
    clear(false);
    $$('.hit').forEach((other) => other.classList.remove('hit'));
    line.classList.add('hit');
    folded.delete(section(at));
    line.hidden = false;
    line.closest('tbody').hidden = false;
    line.scrollIntoView({ block: 'center' });
  }
  addEventListener('hashchange', go);

  function step(by) {
    const visible = cards.filter((card) => !card.hidden);
    if (!visible.length) return;
    const at = visible.indexOf(current);
    const next = visible[Math.max(0, Math.min(visible.length - 1, at < 0 ? 0 : at + by))];
    select(next, true);
    next.scrollIntoView();
    history.pushState(null, '', '#' + next.id);
  }
  function otherPeer(by) {
    if (!several) return;
    const names = [...new Set(cards.filter((card) => !card.hidden).map((card) => data.cards.find((it) => it.at === card.id).peer))];
    const now = current ? names.indexOf(data.cards.find((it) => it.at === current.id).peer) : -1;
    const peer = names[Math.max(0, Math.min(names.length - 1, now + by))];
    const card = cards.find((card) => !card.hidden && data.cards.find((it) => it.at === card.id).peer === peer);
    if (card) { select(card, true); card.scrollIntoView(); history.pushState(null, '', '#' + card.id); }
  }

  // ---- the map
  const map = $('#map');
  if (map) {
    const verdicts = data.peers[0].verdicts;
    const parts = [];
    let last = null;
    data.ids.forEach((id, at) => {
      const name = section(at);
      if (name !== last) parts.push((last === null ? '' : '</div>') + `<span>${escape(name)}</span><div>`);
      last = name;
      const card = cardOf[0].get(at);
      const href = card === undefined || !element(data.cards[card]) ? placeOf(0, at) : data.cards[card].at;
      parts.push(`<a class="${verdicts[at]}" data-i="${at}" tabindex="-1" href="#${escape(href)}" title="${escape(id)}: ${WORDS[verdicts[at]]}; ${escape(data.titles[at])}"></a>`);
    });
    $('.map', map).innerHTML = parts.join('') + '</div>';
    map.hidden = false;
  }
  function escape(text) {
    return text.replace(/[&<>"']/g, (c) => '&#' + c.charCodeAt(0) + ';');
  }

  // ---- arrows in the table of all cases: one cell at a time is in the order of Tab
  const table = $('#matrix table.cases');
  if (table && several) {
    const links = $$('td a', table);
    links.forEach((link, n) => { link.tabIndex = n ? -1 : 0; });
    table.addEventListener('focusin', (event) => {
      if (!event.target.closest('td')) return;
      $$('td a[tabindex="0"]', table).forEach((link) => { link.tabIndex = -1; });
      event.target.tabIndex = 0;
    });
    table.addEventListener('mouseover', (event) => {
      const cell = event.target.closest('td');
      const row = cell && cell.closest('tr[data-i]');
      if (!row || cell.title || cell.cellIndex < 2) return;
      const peer = data.peers[cell.cellIndex - 2];
      const code = peer.codes[+row.dataset.i];
      cell.title = `${data.ids[+row.dataset.i]}, ${peer.name}: ${WORDS[peer.verdicts[+row.dataset.i]]}${code ? ', close ' + code : ''}`;
    });
  }
  function arrow(event) {
    const cell = event.target.closest && event.target.closest('#matrix td');
    if (!cell) return false;
    let row = cell.parentElement;
    let column = cell.cellIndex;
    const links = (tr) => tr && tr.cells[column] && $('a', tr.cells[column]);
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      column += event.key === 'ArrowLeft' ? -1 : 1;
      links(row)?.focus();
    } else {
      const visible = rows.filter((row) => !row.hidden);
      let at = visible.indexOf(row);
      do { at += event.key === 'ArrowUp' ? -1 : 1; row = visible[at]; } while (row && !links(row));
      links(row)?.focus();
    }
    return true;
  }

  // ---- light and dark, copying, keys
  const stored = () => { try { return localStorage.getItem('wsproof-theme'); } catch { return null; } };
  if (['light', 'dark'].includes(stored())) root.dataset.t = stored();
  function theme() {
    const dark = root.dataset.t ? root.dataset.t === 'dark' : matchMedia('(prefers-color-scheme:dark)').matches;
    root.dataset.t = dark ? 'light' : 'dark';
    try { localStorage.setItem('wsproof-theme', root.dataset.t); } catch { /* not everywhere */ }
  }
  function copy(text, button) {
    const label = button && (button.dataset.label ||= button.textContent);
    const done = () => { if (button) { button.textContent = 'Copied'; button.onblur = () => { button.textContent = label; }; } say('copied'); };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => say('copying is not allowed here'));
    else say('copying is not allowed here');
  }
  const command = (card) => $('.rep code', card)?.textContent;
  const link = (card) => location.href.split('#')[0] + '#' + card.id;
  $$('.copy').forEach((button) => { button.hidden = false; button.onclick = () => copy(command(button.closest('.card')), button); });
  // A card as plain text, to be pasted where a bug is reported.
  function told(card) {
    const clean = (node) => (node ? node.textContent.replace(/\s+/g, ' ').trim() : '');
    const lines = [clean($('h3', card)), clean($('.who', card)), clean($('.rule', card)), ''];
    for (const side of $$('.eo > div', card)) lines.push($$('h4,p', side).map(clean).join('  '));
    const ruler = $('.ruler pre', card);
    if (ruler) lines.push('', ruler.textContent.trimEnd());
    lines.push('', ...$$('.why dt', card).map((name) => name.textContent + ': ' + clean($('code', name.nextElementSibling) || name.nextElementSibling)), '');
    for (const row of $$('.talk > li:not(.hd)', card)) {
      const body = $('div', row).cloneNode(true);
      $('details', body)?.remove();
      $$('code,bdi', body).forEach((part) => part.prepend('  '));
      lines.push(clean($('time', row)).padStart(10) + '  ' + clean(body));
    }
    return lines.filter((line, n) => line || lines[n - 1]).join('\n').trim() + '\n' + link(card) + '\n';
  }
  $$('.report').forEach((button) => { button.hidden = false; button.onclick = () => copy(told(button.closest('.card')), button); });
  $$('.nav a').forEach((way) => {
    way.onclick = (event) => { event.preventDefault(); select(way.closest('.card'), false); step(way.rel === 'next' ? 1 : -1); };
  });
  $('.tools').hidden = false;
  $('#theme').onclick = theme;
  $('#help').onclick = () => $('#keys').showModal();

  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const key = event.key;
    if ($('#keys').open) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName || '');
    if (key === 'Escape') { clear(true); if (typing) event.target.blur(); return; }
    if (typing) return;
    const actions = {
      j: () => step(1), k: () => step(-1), t: theme,
      '?': () => $('#keys').showModal(),
      '/': () => $('#q')?.focus(),
      c: () => current && command(current) && copy(command(current)),
      l: () => current && copy(link(current)),
      m: () => { $('#matrix')?.scrollIntoView(); ($('#matrix td a[tabindex="0"]') || $('#matrix .grid'))?.focus({ preventScroll: true }); },
      n: () => { if (fields.b) { fields.b.value = filter.b = filter.b === 'new' ? '' : 'new'; apply(true); } },
      '[': () => otherPeer(-1), ']': () => otherPeer(1),
      Enter: () => { if (event.target !== current || !current) return false; const talk = $(':scope > details', current); if (talk) talk.open = !talk.open; },
    };
    if (/^Arrow/.test(key)) { if (arrow(event)) event.preventDefault(); return; }
    if (/^[1-4]$/.test(key)) { const count = $$('.count')[key - 1]; if (count) toggle(count.dataset.v); return; }
    if (Object.hasOwn(actions, key) && actions[key]() !== false) event.preventDefault();
  });

  // To ask where things are makes the browser lay out everything, so it waits for the first paint.
  requestAnimationFrame(() => $$('.ruler').forEach((ruler) => {
    const mark = $('mark', ruler) || $('s', ruler);
    if (mark) ruler.scrollLeft = mark.offsetLeft - ruler.offsetLeft - ruler.clientWidth * 0.45;
  }));
  addEventListener('beforeprint', () => $$('.card > details').forEach((talk) => { talk.open = true; }));
  apply(false);
  go();
})();
