import 'uplot/dist/uPlot.min.css'
import './chart.css'

import { t } from '@lingui/core/macro'
import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'

import { Button } from '@/components/Button'
import { clock } from '@/lib/format'
import { useStore } from '@/lib/store'
import { themeNow } from '@/lib/themeNow'

import { topOf } from './series'

export interface Series {
  label: string
  values: (number | null)[]
  dash?: number[]
  limit?: boolean
}

interface Props {
  title: string
  testId: string
  times: number[]
  series: Series[]
  format: (value: number | null | undefined) => string
  /** Ticks at whole KiB, MiB, GiB. */
  binary?: boolean
  from: number
  to: number
}

const HEIGHT = 176
const POWERS = Array.from({ length: 45 }, (_, n) => 2 ** n)
const COLORS = ['--ls-series-1', '--ls-series-2', '--ls-series-3']
const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** One chart: an image with a summary in words, and the same numbers as a table on request. */
export function Chart({ title, testId, times, series, format, binary = false, from, to }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [asTable, setAsTable] = useState(false)
  const theme = useStore(themeNow)
  const labels = series.map((item) => item.label).join('|')
  const data = [times, ...series.map((item) => item.values)] as uPlot.AlignedData
  const latest = useRef({ data, from, to, format, series })
  latest.current = { data, from, to, format, series }

  useEffect(() => {
    const element = box.current
    if (!element || asTable) return undefined
    const chart = new uPlot(optionsFor(element.clientWidth, latest.current.series, binary, (value) => latest.current.format(value)), latest.current.data, element)
    plot.current = chart
    chart.setScale('x', { min: latest.current.from, max: latest.current.to })
    const observer = new ResizeObserver(() => { chart.setSize({ width: element.clientWidth, height: HEIGHT }); })
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.destroy()
      plot.current = null
    }
  }, [labels, theme, asTable, binary])

  useEffect(() => {
    plot.current?.setData(data, false)
    plot.current?.setScale('x', { min: from, max: to })
  })

  const last = series.filter((item) => !item.limit).map((item) => format(item.values.findLast((value) => value !== null)))
  return (
    <section className="chart" aria-label={title} data-testid={testId}>
      <div className="section-head">
        <h2>{title}</h2>
        {series.map((item, n) => (
          <span key={item.label} className="legend">
            <i style={{ background: item.limit ? 'var(--ls-bad)' : `var(${COLORS[n] ?? '--ls-series-1'})` }} />
            {item.label} <b>{format(item.values.findLast((value) => value !== null))}</b>
          </span>
        ))}
        <span className="grow" />
        <Button small kind="plain" aria-pressed={asTable} onClick={() => { setAsTable(!asTable); }}>
          {t`Show ${title} as table`}
        </Button>
      </div>
      {asTable ? (
        <ChartTable title={title} times={times} series={series} format={format} />
      ) : (
        <div ref={box} className="plot" role="img" aria-label={summary(title, series, format, last)} data-points={times.length} />
      )}
    </section>
  )
}

function summary(title: string, series: Series[], format: Props['format'], last: string[]): string {
  const values = series.filter((item) => !item.limit).flatMap((item) => item.values.filter((value) => value !== null))
  if (values.length === 0) return t`${title}: no values yet`
  const low = format(values.reduce((a, b) => Math.min(a, b)))
  const high = format(values.reduce((a, b) => Math.max(a, b)))
  return t`${title}: ${low} to ${high}, now ${last.join(t` and `)}`
}

function ChartTable({ title, times, series, format }: Pick<Props, 'title' | 'times' | 'series' | 'format'>) {
  const every = Math.max(1, Math.ceil(times.length / 60))
  return (
    <div className="table-scroll chart-table" role="region" aria-label={t`${title} as table`} tabIndex={0}>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">{t`Time`}</th>
            {series.map((item) => (
              <th key={item.label} scope="col" className="num">
                {item.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times
            .map((time, n) => ({ time, n }))
            .filter(({ n }) => n % every === 0)
            .reverse()
            .map(({ time, n }) => (
              <tr key={time}>
                <td>{clock(new Date(time * 1000).toISOString())}</td>
                {series.map((item) => (
                  <td key={item.label} className="num">
                    {format(item.values[n])}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  )
}

function optionsFor(width: number, series: Series[], binary: boolean, format: (value: number | null | undefined) => string): uPlot.Options {
  const muted = token('--ls-muted')
  const grid = { stroke: token('--ls-line'), width: 1 }
  const font = '11px system-ui, sans-serif'
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: 'stats' }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true, auto: false }, y: { range: (_plot, _min, max) => [0, topOf(max)] } },
    axes: [
      {
        stroke: muted,
        grid,
        ticks: { show: false },
        font,
        space: 90,
        values: (_plot, splits) => splits.map((split) => clock(new Date(split * 1000).toISOString(), (splits[1] ?? 0) - (splits[0] ?? 0) < 60)),
      },
      { stroke: muted, grid, ticks: { show: false }, font, size: 68, ...(binary && { incrs: POWERS }), values: (_plot, splits) => splits.map((split) => format(split)) },
    ],
    series: [
      {},
      ...series.map((item, n): uPlot.Series => {
        const color = item.limit ? token('--ls-bad') : token(COLORS[n] ?? '--ls-series-1')
        return { label: item.label, stroke: color, width: 1.5, spanGaps: false, points: { show: false }, ...(item.limit ? { dash: [4, 3] } : { fill: `${color}1a` }), ...(item.dash && { dash: item.dash }) }
      }),
    ],
  }
}
