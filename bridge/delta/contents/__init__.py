"""Looks inside images: finds packed streams, unpacks both images for differencing, and folds the result back.

contents = find_contents(old, new, executor, progress)
views = Expanded(old, contents.old, contents.packings), Expanded(new, contents.new, contents.packings)
write_expanded(view, output, executor)      # plain files that any differencing can work on
steps = fold(steps between the files, *views, limits)   # steps between the images
"""
