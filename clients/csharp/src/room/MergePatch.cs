using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>JSON merge patches (RFC 7396), over values as <see cref="Room.State"/> is made of.</summary>
    public static class MergePatch
    {
        /// <summary><paramref name="target"/> after <paramref name="patch"/>; both stay as they were.</summary>
        public static object Merged(object target, object patch)
        {
            var changes = patch as Dictionary<string, object>;
            if (changes == null)
            {
                return patch;
            }
            var before = target as Dictionary<string, object>;
            var after = before == null ? new Dictionary<string, object>() : new Dictionary<string, object>(before);
            foreach (var change in changes)
            {
                if (change.Value == null)
                {
                    after.Remove(change.Key);
                }
                else
                {
                    object value;
                    after.TryGetValue(change.Key, out value);
                    after[change.Key] = Merged(value, change.Value);
                }
            }
            return after;
        }
    }
}
