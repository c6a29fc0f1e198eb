// Slices on tracks over time. Slices: {track, name, start_us, time_us, group, lines}.
import {axis, grid} from '../plot.js';
import {columnStep, digits, withUnit} from '../units.js';

const TRACK_PX = 34,
  LABEL_PX = 6.6;

// Groups of slices, most time first.
export function groupColours(slices) {
  const time = new Map();
  for (const slice of slices) time.set(slice.group, (time.get(slice.group) ?? 0) + slice.time_us);
  return [...time].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

function clip(x, width, box) {
  const left = Math.max(x, box.x),
    right = Math.min(x + width, box.x + box.width);
  return right > left ? [left, right - left] : null;
}

// `groups`: names in the order of the palette; one that is not among them is drawn plain.
export function timeline(slices, title, note, groups = groupColours(slices)) {
  const tracks = [...new Set(slices.map((slice) => slice.track))];
  const end = Math.max(...slices.map((slice) => slice.start_us + slice.time_us));
  const step = columnStep('time_us', [end / 4]);
  const render = (colours) => (params, api) => {
    const slice = slices[params.dataIndex];
    const from = api.coord([api.value(1), api.value(0)]),
      to = api.coord([api.value(2), api.value(0)]);
    const height = api.size([0, 1])[1] * 0.72;
    const clipped = clip(from[0], Math.max(to[0] - from[0], 0.6), params.coordSys);
    if (!clipped) return null;
    const [x, width] = clipped;
    const fits = Math.floor((width - 6) / LABEL_PX);
    const text = slice.name.length <= fits ? slice.name : `…${slice.name.slice(1 - fits)}`;
    return {
      type: 'rect',
      shape: {x, y: from[1] - height / 2, width, height, r: width > 6 ? 2 : 0},
      style: {
        fill: groups.includes(slice.group)
          ? colours.series[groups.indexOf(slice.group) % colours.series.length]
          : colours.plain,
      },
      emphasis: {style: {stroke: colours.text, lineWidth: 2}},
      textContent:
        fits >= 4 ? {style: {text, fill: '#fff', fontSize: 11}, ignoreHostSilent: true} : undefined,
      textConfig: {position: 'inside'},
    };
  };
  return {
    title,
    note,
    zoom: true,
    summary: `${slices.length} slices on ${tracks.length} tracks over ${withUnit('time_us', end)}.`,
    height: 92 + tracks.length * TRACK_PX,
    describe: (series, i) =>
      slices[i] && [
        slices[i].name,
        `${withUnit('time_us', slices[i].time_us)} from ` +
          `${withUnit('start_us', slices[i].start_us)}`,
        slices[i].group,
        ...(slices[i].lines ?? []),
      ],
    option: (colours) => ({
      grid: grid(colours, {top: 8, bottom: 74, left: colours.narrow ? 74 : 110}),
      xAxis: axis(colours, `time (${step.name})`, {
        min: 0,
        max: end,
        gap: 24,
        axisLabel: {formatter: (value) => digits(value * step.factor)},
      }),
      yAxis: {
        type: 'category',
        data: tracks,
        inverse: true,
        axisTick: {show: false},
        axisLine: {lineStyle: {color: colours.line}},
        axisLabel: {color: colours.text, width: colours.narrow ? 66 : 102, overflow: 'truncate'},
      },
      dataZoom: [
        {
          type: 'slider',
          xAxisIndex: 0,
          bottom: 6,
          height: 20,
          filterMode: 'weakFilter',
          borderColor: colours.line,
          textStyle: {color: colours.faint},
          showDataShadow: false,
          labelFormatter: (value) => `${digits(value * step.factor)} ${step.name}`,
        },
        {
          type: 'inside',
          xAxisIndex: 0,
          filterMode: 'weakFilter',
          zoomOnMouseWheel: 'ctrl',
          moveOnMouseMove: true,
          moveOnMouseWheel: false,
          preventDefaultMouseMove: false,
        },
      ],
      series: [
        {
          type: 'custom',
          renderItem: render(colours),
          encode: {x: [1, 2], y: 0},
          data: slices.map((s) => [tracks.indexOf(s.track), s.start_us, s.start_us + s.time_us]),
        },
      ],
    }),
  };
}
