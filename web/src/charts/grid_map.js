// A map of cells: which choice is the best over two quantities.
import {axis, grid, legend} from '../plot.js';
import {digits, withUnit} from '../units.js';

// map: {bandwidth_mbit_s, latency_ms, cuts, latency_us}; cuts[row][column], rows as latency_ms.
export function crossingsMap(map) {
  const names = [...new Set(map.cuts.flat())];
  const cells = map.cuts.flatMap((row, r) => row.map((cut, c) => ({cut, r, c})));
  const groups = names.map((name) => cells.filter((cell) => cell.cut === name));
  const label = {output: 'all on the device', input: 'all on the server'};
  const draw = (colours, index) => (params, api) => {
    const [x, y] = api.coord([api.value(0), api.value(1)]);
    const [width, height] = api.size([1, 1]);
    return {
      type: 'rect',
      shape: {x: x - width / 2, y: y - height / 2, width: width + 0.5, height: height + 0.5},
      style: {fill: colours.series[index % colours.series.length]},
      emphasis: {style: {stroke: colours.text, lineWidth: 2}},
    };
  };
  return {
    title: 'Best cut by link',
    height: 380,
    summary: `${names.length} cuts are the best somewhere.`,
    note:
      'Colour: the last layer on the device that gives the least latency ' +
      'at that bandwidth and round trip (modelled).',
    describe: (s, i) => {
      const cell = groups[s]?.[i];
      return (
        cell && [
          label[cell.cut] ?? `cut after ${cell.cut}`,
          `${digits(map.bandwidth_mbit_s[cell.c])} Mbit/s, round trip ` +
            `${digits(map.latency_ms[cell.r])} ms`,
          `latency ${withUnit('latency_us', map.latency_us[cell.r][cell.c])} (modelled)`,
        ]
      );
    },
    option: (colours) => ({
      grid: grid(colours, {top: 20 + 22 * Math.ceil(names.length / (colours.narrow ? 1 : 3))}),
      legend: legend(colours),
      xAxis: axis(colours, 'bandwidth (Mbit/s)', {
        type: 'category',
        data: map.bandwidth_mbit_s.map((v) => digits(Number(v.toPrecision(3)))),
      }),
      yAxis: axis(colours, 'round trip (ms)', {
        type: 'category',
        gap: 38,
        data: map.latency_ms.map((v) => digits(Number(v.toPrecision(3)))),
      }),
      series: groups.map((group, i) => ({
        name: label[names[i]] ?? names[i],
        type: 'custom',
        renderItem: draw(colours, i),
        itemStyle: {color: colours.series[i % colours.series.length]},
        data: group.map((cell) => [cell.c, cell.r]),
      })),
    }),
  };
}
