import { splitReference } from '@/lib/format'

/** The repository may shrink, the tag never. */
export function ImageName({ reference }: { reference: string }) {
  const { repository, tag } = splitReference(reference)
  return (
    <span className="image-name" title={reference}>
      <span className="cut">{repository}</span>
      <span className="muted">{tag}</span>
    </span>
  )
}
