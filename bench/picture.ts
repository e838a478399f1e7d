/** The curves as one picture. Owns the layout; axes and lines are echarts'. */
import * as echarts from 'echarts';
import type { Curve } from './bench.js';

const WIDTH = 960;
const ROW = 280;
const COLUMNS = 3;

/** An SVG with a small chart for each curve: both axes logarithmic, so that a straight line is a power. */
export function curvesSvg(curves: readonly Curve[]): string {
  const rows = Math.ceil(curves.length / COLUMNS);
  const chart = echarts.init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: WIDTH,
    height: rows * ROW,
  });
  try {
    const cell = (at: number): { left: number; top: number } => ({
      left: (at % COLUMNS) * (WIDTH / COLUMNS),
      top: Math.floor(at / COLUMNS) * ROW,
    });
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      title: curves.map(({ name, cost }, at) => ({
        text: `${name}: ${cost}`,
        textStyle: { fontSize: 14 },
        left: cell(at).left + 16,
        top: cell(at).top + 8,
      })),
      grid: curves.map((_, at) => ({
        left: cell(at).left + 56,
        top: cell(at).top + 48,
        width: WIDTH / COLUMNS - 84,
        height: ROW - 112,
      })),
      xAxis: curves.map(({ axis }, at) => ({
        type: 'log',
        gridIndex: at,
        name: axis,
        nameLocation: 'middle',
        nameGap: 28,
        min: 'dataMin',
        max: 'dataMax',
      })),
      yAxis: curves.map((_, at) => ({
        type: 'log',
        gridIndex: at,
        min: ({ min }: { min: number }) => 10 ** Math.floor(Math.log10(min)),
      })),
      series: curves.map(({ points }, at) => ({
        type: 'line',
        xAxisIndex: at,
        yAxisIndex: at,
        data: points.map(({ x, ms }) => [x, Number(ms.toPrecision(3))]),
        label: { show: true, position: 'top', formatter: '{@[1]}', fontSize: 10 },
      })),
    });
    return chart.renderToSVGString();
  } finally {
    // Its timers would keep Node alive.
    chart.dispose();
  }
}
