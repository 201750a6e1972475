'use strict';
(() => {
  const report = JSON.parse(document.getElementById('data').textContent);
  const root = document.getElementById('report');
  const byId = new Map(report.tests.map((test) => [test.id, test]));
  const BAD = new Set(['failed', 'timed_out', 'error']);
  const MARK = { passed: '✓', adapted: '≈', flaky: '!', failed: '✗', timed_out: '✗', error: '✗', skipped: '–' };

  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? '' : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }
  function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const label = (outcome) => outcome.replaceAll('_', ' ');
  const badge = (outcome) => el('span', { class: `badge ${outcome}` }, label(outcome));
  function time(ms) {
    if (ms < 1000) return `${ms} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
    return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
  }
  const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

  function comparison(found) {
    return found && el('div', { class: 'compare' },
      el('div', {}, el('b', {}, 'Expected'), found.expected), el('div', {}, el('b', {}, 'Actual'), found.actual));
  }
  function picture(file, of) {
    const image = el('img', { src: file.url, alt: `${file.name} of ${of}`, loading: 'lazy' });
    return el('figure', {}, image, el('figcaption', {}, file.name));
  }
  const named = (file, text = file.name) => el('span', {}, file.link ? el('a', { href: file.link, target: '_blank', rel: 'noopener' }, text) : text, ` (${size(file.size_bytes)})`);
  function trace(file, attempt, test) {
    const run = test.id.split(' ')[0];
    const command = report.kind === 'session' ? `playwright show-trace ${file.name}` : `qa-queue trace ${run} --attempt ${attempt} --name ${file.name}`;
    return el('p', {}, named(file, file.link ? `Open the trace ${file.name}` : file.name), ' or ', el('code', {}, command));
  }
  function adaptation(found) {
    if (!found) return null;
    const by = found.score === null ? found.reason : `${found.reason}, ${Math.round(found.score * 100)} %`;
    return el('div', { class: 'wide dim' }, `Element found by another locator (${by}, ${found.status}). ${found.summary} `,
      el('code', {}, JSON.stringify(found.old)), ' → ', el('code', {}, JSON.stringify(found.new)));
  }
  function step(one, attempt) {
    const pictures = attempt.evidence.filter((file) => file.url && file.step === one.position);
    return el('li', {},
      el('span', { class: `n ${one.outcome}` }, el('span', { class: 'mark', 'aria-hidden': 'true' }, MARK[one.outcome] || '·'), one.position),
      el('span', {}, one.name, one.outcome === 'passed' ? null : ' ', one.outcome === 'passed' ? null : badge(one.outcome)),
      el('span', { class: 'n dim' }, time(one.duration_ms)),
      one.source && el('div', { class: 'wide dim' }, one.source),
      ...one.notes.map((note) => el('div', { class: 'wide dim' }, note)),
      one.error && el('pre', { class: 'wide message' }, one.error),
      one.comparison && el('div', { class: 'wide' }, comparison(one.comparison)),
      adaptation(one.adaptation),
      pictures.length > 0 && el('div', { class: 'wide pictures' }, ...pictures.map((file) => picture(file, `step ${one.position}`))));
  }
  function log(entries) {
    return el('details', {}, el('summary', {}, `Console, requests and dialogs (${entries.length})`),
      el('ul', { class: 'log', tabindex: '0', role: 'list', 'aria-label': 'Console, requests and dialogs' },
        ...entries.map((entry) => el('li', { class: entry.level === 'error' || entry.type === 'pageerror' ? 'failed' : '' },
          `${entry.level || entry.type}: ${entry.text}`, entry.source && el('span', { class: 'dim' }, ` ${entry.source}`)))));
  }
  function attemptView(attempt, test) {
    const several = test.attempts.length > 1;
    const positions = new Set(attempt.steps.map((one) => one.position));
    const loose = attempt.evidence.filter((file) => file.url && !positions.has(file.step));
    const others = attempt.evidence.filter((file) => !file.url && file.kind !== 'trace');
    const traces = attempt.evidence.filter((file) => file.kind === 'trace');
    return el('div', { class: 'attempt', role: 'group', 'aria-label': `Attempt ${attempt.number}` },
      several && el('h3', {}, `Attempt ${attempt.number} `, badge(attempt.outcome), ` ${time(attempt.duration_ms)}`),
      attempt.steps.length > 0 && el('ol', { class: 'steps' }, ...attempt.steps.map((one) => step(one, attempt))),
      ...Object.entries(attempt.sections).map(([title, text]) => el('details', { open: /traceback/i.test(title) }, el('summary', {}, title), el('pre', {}, text))),
      attempt.snapshot && el('details', {}, el('summary', {}, 'Page at the failure (accessibility tree)'), el('pre', {}, attempt.snapshot)),
      loose.length > 0 && el('div', { class: 'pictures' }, ...loose.map((file) => picture(file, `attempt ${attempt.number}`))),
      attempt.log.length > 0 && log(attempt.log),
      ...traces.map((file) => trace(file, attempt.number, test)),
      others.length > 0 && el('p', { class: 'dim' }, 'Files: ', ...others.flatMap((file, index) => [index > 0 && ', ', named(file)])));
  }
  function body(test) {
    const facts = [['Run', test.id], ['Worker', test.worker], ['Host', test.base_url], ['Tags', test.tags.join(', ')]].filter(([, value]) => value);
    return el('div', { class: 'body' },
      test.error && !test.attempts.some((attempt) => attempt.steps.some((one) => one.error && test.error.endsWith(one.error))) && el('pre', { class: 'message' }, test.error),
      test.notes.length > 0 && el('ul', { class: 'notes' }, ...test.notes.map((note) => el('li', {}, note))),
      el('div', { class: 'attempts' }, ...test.attempts.map((attempt) => attemptView(attempt, test))),
      el('dl', {}, ...facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])));
  }
  function testView(test, level) {
    const details = el('details', { class: 'test', 'data-outcome': test.outcome },
      el('summary', {}, badge(test.outcome),
        el('span', { class: 'name' }, test.name, test.suite && el('span', { class: 'dim' }, ` ${test.suite}`),
          test.attempts.length > 1 && el('span', { class: 'dim' }, ` · ${test.attempts.length} attempts`)),
        el('span', { class: 'n dim' }, time(test.duration_ms))));
    details.addEventListener('toggle', () => { if (details.open && details.children.length === 1) details.append(body(test)); });
    details.dataset.text = `${test.name} ${test.suite} ${test.tags.join(' ')} ${test.error || ''}`.toLowerCase();
    if (level === 'open') details.open = true;
    return details;
  }
  function header() {
    const total = report.tests.length || 1;
    const wall = report.started_at && report.finished_at ? new Date(report.finished_at) - new Date(report.started_at) : 0;
    const bar = el('div', { class: 'bar', role: 'img', 'aria-label': report.totals });
    for (const [outcome, number] of Object.entries(report.counts)) {
      const part = el('span', { class: outcome });
      part.style.width = `${(number / total) * 100}%`;
      bar.append(part);
    }
    return [el('h1', {}, report.title, badge(report.outcome)), el('p', { class: 'summary' }, el('span', {}, report.totals),
      wall > 0 && el('span', { class: 'dim' }, `took ${time(wall)}`),
      el('span', { class: 'dim' }, new Date(report.created_at).toLocaleString())), bar];
  }
  function failures() {
    if (report.causes.length === 0) return [];
    const first = report.causes[0].tests[0];
    return [el('h2', {}, 'Failures by cause'), ...report.causes.map((cause) => el('section', { class: 'cause', 'aria-label': cause.title },
      el('p', {}, cause.title, el('span', { class: 'dim' }, ` ${cause.tests.length} test${cause.tests.length === 1 ? '' : 's'}`)),
      ...cause.tests.map((id) => testView(byId.get(id), id === first ? 'open' : ''))))];
  }
  function everything() {
    const list = el('div', {}, ...report.tests.map((test) => testView(test)));
    const shown = el('p', { class: 'dim', role: 'status' });
    const search = el('input', { type: 'search', placeholder: 'Filter by name, file, tag or message', 'aria-label': 'Filter tests' });
    let only = '';
    const apply = () => {
      const wanted = search.value.trim().toLowerCase();
      let number = 0;
      for (const row of list.children) {
        row.hidden = (only !== '' && row.dataset.outcome !== only) || !row.dataset.text.includes(wanted);
        number += row.hidden ? 0 : 1;
      }
      shown.textContent = `${number} of ${report.tests.length} shown`;
    };
    const buttons = ['', ...Object.keys(report.counts)].map((outcome) => {
      const button = el('button', { type: 'button', 'aria-pressed': String(outcome === '') },
        outcome === '' ? `all ${report.tests.length}` : `${label(outcome)} ${report.counts[outcome]}`);
      button.addEventListener('click', () => {
        only = outcome;
        buttons.forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
        apply();
      });
      return button;
    });
    search.addEventListener('input', apply);
    apply();
    return [el('h2', {}, 'All tests'), el('div', { class: 'tools' }, ...buttons, search), shown, list];
  }
  function slowest() {
    const tests = [...report.tests].filter((test) => test.duration_ms > 0).sort((a, b) => b.duration_ms - a.duration_ms).slice(0, 10);
    if (tests.length < 2) return [];
    return [el('h2', {}, 'Slowest tests'), el('ol', { class: 'slow' }, ...tests.map((test) => {
      const fill = el('span');
      fill.style.width = `${(test.duration_ms / tests[0].duration_ms) * 100}%`;
      return el('li', {}, el('span', {}, test.name), el('span', { class: 'track', 'aria-hidden': 'true' }, fill), el('span', { class: 'n' }, time(test.duration_ms)));
    }))];
  }
  function timeline() {
    const tests = report.tests.filter((test) => test.started_at && test.finished_at);
    const lanes = [];
    const placed = [...tests].sort((a, b) => a.started_at.localeCompare(b.started_at)).map((test) => {
      const name = test.worker || 'worker';
      let lane = lanes.findIndex((one) => one.name === name && one.end <= test.started_at);
      if (lane < 0) lane = lanes.push({ name, end: '' }) - 1;
      lanes[lane].end = test.finished_at;
      return { test, lane };
    });
    if (placed.length < 2) return [];
    const start = Math.min(...tests.map((test) => Date.parse(test.started_at)));
    const span = Math.max(1, Math.max(...tests.map((test) => Date.parse(test.finished_at))) - start);
    const order = lanes.map((lane, index) => ({ ...lane, index })).sort((a, b) => a.name.localeCompare(b.name) || a.index - b.index);
    const row = new Map(order.map((lane, index) => [lane.index, index]));
    const height = order.length * 24 + 20;
    const chart = svg('svg', { viewBox: `0 0 1000 ${height}`, role: 'img', 'aria-label': `Timeline of ${tests.length} tests on ${new Set(lanes.map((lane) => lane.name)).size} workers` });
    order.forEach((lane, index) => { if (index === 0 || order[index - 1].name !== lane.name) chart.append(svg('text', { x: 0, y: index * 24 + 14 }, lane.name.slice(0, 24))); });
    for (const { test, lane } of placed) {
      const x = 160 + ((Date.parse(test.started_at) - start) / span) * 830;
      const width = Math.max(2, ((Date.parse(test.finished_at) - Date.parse(test.started_at)) / span) * 830);
      chart.append(svg('rect', { x, y: row.get(lane) * 24 + 3, width, height: 16, rx: 3, class: test.outcome },
        svg('title', {}, `${test.name}: ${label(test.outcome)}, ${time(test.duration_ms)}`)));
    }
    chart.append(svg('text', { x: 160, y: height - 4 }, '0'), svg('text', { x: 990, y: height - 4, 'text-anchor': 'end' }, time(span)));
    return [el('h2', {}, 'Timeline of workers'), el('div', { class: 'timeline', tabindex: '0', role: 'region', 'aria-label': 'Timeline of workers' }, chart)];
  }
  function environment() {
    const rows = Object.entries(report.environment);
    return rows.length === 0 ? [] : [el('h2', {}, 'Environment'), el('dl', {}, ...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]))];
  }
  root.replaceChildren(...header(), ...failures(), ...everything(), ...slowest(), ...timeline(), ...environment(),
    ...(report.pictures_left_out ? [el('p', { class: 'dim' }, `${report.pictures_left_out} pictures were left out to keep this file small.`)] : []));
})();
