// One way to put a chart on the page: it follows the theme and the width, and can be read with the
// keyboard. A chart is {title, note, height, zoom, option(theme), describe(series, index)}:
// `describe` gives the lines of text of one mark, for the pointer, the keyboard and screen readers.
import {append, h} from './dom.js';
import {init} from './plot_library.js';
import {raised} from './units.js';

const ZOOM_STEP = 0.7; // of the visible span
const PAN_STEP = 0.2;
const NARROW_PX = 560;

const live = new Set();

export function theme() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    text: value('--text'),
    faint: value('--faint'),
    line: value('--line'),
    card: value('--card'),
    good: value('--good'),
    bad: value('--bad'),
    plain: value('--plain'),
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => value(`--series-${n}`)),
  };
}

// Called when the theme changes: colours are part of what was drawn.
export function redrawAll() {
  for (const chart of live) chart.draw();
}

function tooltip(lines) {
  return append(
    h('div', {class: 'tip'}),
    lines.map((line, i) => h(i ? 'div' : 'b', {}, line)),
  );
}

class Plot {
  constructor(chart) {
    this.chart = chart;
    this.at = null; // [series, index] of the mark that the keyboard is on
    this.window = [0, 100];
    this.canvas = h('div', {class: 'canvas', style: {height: `${chart.height ?? 320}px`}});
    this.said = h('div', {class: 'said', role: 'status', 'aria-live': 'polite'});
    const keys = chart.zoom
      ? 'Arrow keys walk through the marks; plus, minus and 0 zoom; with Shift arrows move.'
      : 'Arrow keys walk through the marks.';
    this.frame = h(
      'div',
      {
        class: 'frame',
        tabindex: 0,
        role: 'application',
        'aria-roledescription': 'chart',
        'aria-label': `${chart.title}. ${chart.summary ?? ''} ${keys}`,
        onkeydown: (event) => this.key(event),
        onblur: () => this.point(null),
      },
      this.canvas,
    );
    this.element = h(
      'figure',
      {class: 'plot'},
      chart.zoom && this.buttons(),
      this.frame,
      this.said,
      chart.note && h('figcaption', {}, chart.note),
    );
    live.add(this);
    new ResizeObserver(() => this.fit()).observe(this.canvas);
  }

  buttons() {
    const button = (text, title, action) =>
      h('button', {type: 'button', title, 'aria-label': title, onclick: action}, text);
    return h(
      'div',
      {class: 'zoom'},
      button('+', 'Zoom in', () => this.zoom(ZOOM_STEP)),
      button('−', 'Zoom out', () => this.zoom(1 / ZOOM_STEP)),
      button('◀', 'Move left', () => this.pan(-PAN_STEP)),
      button('▶', 'Move right', () => this.pan(PAN_STEP)),
      button('All', 'Show all', () => this.show(0, 100)),
    );
  }

  fit() {
    if (!this.canvas.clientWidth) return;
    if (!this.plot) {
      this.plot = init(this.canvas, null, {renderer: 'svg'});
      this.plot.on('datazoom', () => this.readWindow());
      this.draw();
    } else {
      const narrow = this.canvas.clientWidth < NARROW_PX;
      this.plot.resize();
      if (narrow !== this.narrow) this.draw();
    }
  }

  draw() {
    if (!this.plot) return;
    this.narrow = this.canvas.clientWidth < NARROW_PX;
    const colours = theme();
    const option = this.chart.option({...colours, narrow: this.narrow, plot: this.plot});
    this.plot.setOption(
      {
        animation: false,
        color: colours.series,
        textStyle: {fontFamily: 'system-ui, sans-serif', color: colours.text},
        tooltip: {
          trigger: 'item',
          confine: true,
          renderMode: 'html',
          backgroundColor: colours.card,
          borderColor: colours.line,
          textStyle: {color: colours.text, fontSize: 13},
          formatter: (mark) => {
            const lines = this.chart.describe(mark.seriesIndex, mark.dataIndex);
            return lines ? tooltip(lines) : '';
          },
        },
        ...option,
      },
      {notMerge: true},
    );
    this.marks = this.plot
      .getOption()
      .series.map((series, i) => [i, (series.data ?? []).length])
      .filter(([i, length]) => length > 0 && this.chart.describe(i, 0));
  }

  key(event) {
    const {key, shiftKey} = event;
    const steps = {ArrowRight: 1, ArrowLeft: -1};
    if (this.chart.zoom && key in steps && shiftKey) this.pan(steps[key] * PAN_STEP);
    else if (key in steps) this.walk(steps[key]);
    else if (key === 'ArrowDown' || key === 'ArrowUp') this.change(key === 'ArrowDown' ? 1 : -1);
    else if (key === 'Home') this.walk(-Infinity);
    else if (key === 'End') this.walk(Infinity);
    else if (key === 'Escape') this.point(null);
    else if (this.chart.zoom && (key === '+' || key === '=')) this.zoom(ZOOM_STEP);
    else if (this.chart.zoom && key === '-') this.zoom(1 / ZOOM_STEP);
    else if (this.chart.zoom && key === '0') this.show(0, 100);
    else return;
    event.preventDefault();
  }

  // To the next mark of the same series; the first step goes to its first mark.
  walk(step) {
    if (!this.marks?.length) return;
    const [series, length] = this.marks.find(([i]) => i === this.at?.[0]) ?? this.marks[0];
    const from = this.at ? this.at[1] + step : 0;
    this.point([series, Math.min(length - 1, Math.max(0, from))]);
  }

  change(step) {
    if (!this.marks?.length) return;
    const now = this.at ? this.marks.findIndex(([i]) => i === this.at[0]) : -1;
    const [series, length] = this.marks[(now + step + this.marks.length) % this.marks.length];
    this.point([series, Math.min(length - 1, this.at?.[1] ?? 0)]);
  }

  point(at) {
    if (this.at) {
      this.plot.dispatchAction({type: 'downplay', seriesIndex: this.at[0], dataIndex: this.at[1]});
    }
    this.at = at;
    if (!at) {
      this.plot?.dispatchAction({type: 'hideTip'});
      this.said.textContent = '';
      return;
    }
    const [seriesIndex, dataIndex] = at;
    this.plot.dispatchAction({type: 'highlight', seriesIndex, dataIndex});
    this.plot.dispatchAction({type: 'showTip', seriesIndex, dataIndex});
    this.said.textContent = this.chart.describe(seriesIndex, dataIndex).join(' · ');
  }

  readWindow() {
    const zoom = this.plot.getOption().dataZoom?.[0];
    if (zoom) this.window = [zoom.start, zoom.end];
  }
  show(start, end) {
    const width = Math.min(100, end - start);
    const from = Math.min(100 - width, Math.max(0, start));
    this.plot?.dispatchAction({type: 'dataZoom', start: from, end: from + width});
    this.readWindow();
  }
  zoom(factor) {
    const [start, end] = this.window;
    const middle = (start + end) / 2,
      half = ((end - start) / 2) * factor;
    this.show(middle - half, middle + half);
  }
  pan(share) {
    const [start, end] = this.window;
    const by = (end - start) * share;
    this.show(start + by, end + by);
  }
}

export function plot(chart) {
  return new Plot(chart).element;
}

// An axis of this page: name in the middle of it, unit included.
export function axis(colours, name, more = {}) {
  const {axisLabel, ...rest} = more;
  return {
    type: 'value',
    name,
    nameLocation: 'middle',
    nameGap: rest.gap ?? 30,
    nameTextStyle: {color: colours.faint, fontSize: 12},
    axisLine: {show: true, lineStyle: {color: colours.line}},
    axisLabel: {color: colours.faint, hideOverlap: true, ...axisLabel},
    splitLine: {lineStyle: {color: colours.line, opacity: 0.5}},
    ...rest,
  };
}

export function grid(colours, more = {}) {
  return {left: colours.narrow ? 52 : 64, right: 16, top: 36, bottom: 48, ...more};
}

export function legend(colours, more = {}) {
  return {
    top: 0,
    left: 0,
    type: 'plain',
    textStyle: {color: colours.text, fontSize: 12},
    inactiveColor: colours.line,
    itemWidth: 14,
    itemHeight: 10,
    itemGap: 12,
    ...more,
  };
}

// Powers of ten as people write them.
export function logLabel(value) {
  if (value >= 1e-3 && value < 1e4) return String(Number(value.toPrecision(3)));
  return `10${raised(Math.round(Math.log10(value)))}`;
}
